"""What `make bench` measures, a module a part of the program."""
