std = "lua54"
max_line_length = 100

exclude_files = { "lua/uring/meta" } -- generated, for editors

files["spec"] = { std = "+busted" }
files["spec/oom"] = { read_globals = { "arm", "broken" } }
