--- Every operation as a function that waits: see docs/reference.md.

return require("uring.core").op
