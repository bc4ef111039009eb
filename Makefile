# For those who work on mtjchar; everybody else needs scripts/demo and scripts/test only.

.DEFAULT_GOAL := help
.PHONY: help lint test bench docs verify test-debian13

help:  ## what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lint:  ## format, style and types
	@sh scripts/lint

bench:  ## speed figures, side by side in one run; ARGS="--only physics" for a part
	@sh scripts/setup dev && .venv/bin/python scripts/bench.py $(ARGS)

docs:  ## a site of the pages in docs/, the notebooks and the docstrings, in build/docs/index.html
	@sh scripts/setup dev && .venv/bin/pip install -q --editable '.[docs]' && .venv/bin/sphinx-build -q -W --keep-going -E docs build/docs

verify:  ## all comparisons of docs/verification.md, its tables and figures; ARGS="--only langevin" for a part
	@sh scripts/setup dev && .venv/bin/python scripts/verify.py $(ARGS)

test:  ## lint and tests; ARGS="-k units" goes to pytest
	@sh scripts/test $(ARGS)

test-debian13:  ## the tests in a Debian 13 made with debootstrap; ARGS="FOLDER" for another place than build/debian13
	@sh scripts/debian13 $(ARGS)
