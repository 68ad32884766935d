"""One program per queue that works it off as fast as it can, told what to do over standard input."""
