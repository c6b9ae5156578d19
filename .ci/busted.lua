-- Runs busted under the interpreter that runs this file: busted's own launcher
-- takes whatever "lua" happens to be, and drops the quotes of its arguments.
-- Line buffering, because a process that a sanitizer ends flushes nothing.
io.stdout:setvbuf "line"
require "busted.runner" { standalone = false }
