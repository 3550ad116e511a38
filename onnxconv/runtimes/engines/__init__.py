"""The runtimes that come with the package, one file each; every one is imported inside a worker only."""
