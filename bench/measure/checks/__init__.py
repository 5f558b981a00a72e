"""What a file must pass before a runtime loads it: one small file for each format that others may hand in.

The child process loads such a file by path, as it loads a runtime, so each imports the standard library, numpy
and its format's own package only, and has one function:

    check(content, limits) -> description     `content` is the file's bytes; `limits` are changes to its `LIMITS`

`description` says what the file asks for (operators, inputs, outputs, sizes). A file that may not be loaded is a
ValueError of one line: what was found; what is allowed. What cannot be known without running a file (a size that
it computes, a loop that does not end) is the business of the child's memory limit and of its deadline.
"""
