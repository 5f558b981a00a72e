"""The `bench` command: one file per group of commands; heavy packages are imported inside commands."""
