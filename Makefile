# For those who work on mtjchar; everybody else needs scripts/demo and scripts/test only.

.DEFAULT_GOAL := help
.PHONY: help lint test

help:  ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lint:  ## format, style and types
	@sh scripts/lint

test:  ## lint and tests; ARGS="-k units" goes to pytest
	@sh scripts/test $(ARGS)
