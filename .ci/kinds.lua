-- The kinds of arguments and of results of src/ops.def, for docs.lua and
-- annotations.lua.  A kind there that is missing here is an error, and the
-- other way round.

-- The letter: name, type, what it is, and whether it may be left out.
local ARGUMENTS <const> = {
  f = { "fd", "uring.Descriptor", "a descriptor" },
  F = { "fd2", "uring.Descriptor", "a descriptor, which must not be a direct one" },
  R = { "fd_in", "uring.Descriptor", "the descriptor to read from" },
  D = { "dir", "uring.Descriptor?", "the directory; nil for the current one" },
  G = { "new_dir", "uring.Descriptor?", "the directory; nil for the current one" },
  H = { "direct", "uring.Fd|integer", "a direct descriptor, or its slot" },
  p = { "path", "string", "a path" },
  P = { "name", "string", "a name or path" },
  b = { "buffer", "uring.Buffer", "memory to fill; of `sqe:prep_` also nil, for a provided " ..
    "buffer" },
  d = { "data", "uring.Data", "what to write: a string or a buffer" },
  n = { "length", "integer?", "bytes; nil for all there are" },
  N = { "length", "integer?", "bytes; nil for all there are" },
  v = { "buffers", "uring.Buffer[]", "up to 1024 buffers" },
  w = { "pieces", "uring.Data[]", "up to 1024 strings and buffers" },
  o = { "offset", "integer?", "in bytes; nil or -1 for the file's position" },
  O = { "offset2", "integer?", "in bytes; nil or -1 for the file's position" },
  s = { "start", "integer?", "in bytes; nil for 0" },
  z = { "size", "integer", "bytes" },
  l = { "flags", "integer?", "nil for 0" },
  L = { "flags2", "integer?", "nil for 0" },
  m = { "mode", "integer?", "nil for 0" },
  e = { "events", "integer", "`POLLIN` and so on" },
  x = { "fields", "integer|string|string[]?", "`STATX_` mask, or names, as `\"size\"`; nil for " ..
    "the " ..
    "basic ones and `btime`" },
  c = { "count", "integer?", "nil for 0" },
  h = { "how", "integer|string", "`\"read\"`, `\"write\"`, `\"both\"`, or a `SHUT_` number" },
  a = { "address", "uring.AddressLike", "as `\"127.0.0.1:80\"`, or a table" },
  A = { "address", "uring.AddressLike?", "where to; nil for the connected one" },
  i = { "domain", "integer", "`AF_INET` and so on" },
  j = { "type", "integer", "`SOCK_STREAM` and so on" },
  k = { "protocol", "integer?", "nil for 0" },
  t = { "seconds", "number", "a time in seconds" },
  u = { "target", "any", "an operation: its sqe, its task, or what `set_data` or `set_data64` " ..
    "said" },
  S = { "slot", "integer?", "of the ring's table, from 0; nil for any free one" },
  q = { "mode", "integer?", "permissions; nil for 0666, for directories 0777 (octal)" },
  W = { "how", "table", "`{flags =, mode =, resolve =}`, integers" },
  B = { "buffer", "uring.Buffer", "a buffer" },
  y = { "buffer", "uring.Buffer?", "memory to fill; nil for a string of any length, 0 to ask " ..
    "for " ..
    "the length alone" },
  I = { "index", "integer?", "of a registered buffer or a group; nil for 0" },
  U = { "data", "integer?", "nil for as it is" },
  C = { "command", "integer", "`SOCKET_URING_OP_` number" },
  ["3"] = { "command", "integer", "the driver's number" },
  V = { "value", "any", "to set: an integer, a boolean, a string or a buffer; to get: nil for " ..
    "an " ..
    "integer, a number of bytes for a string, or a buffer" },
  Z = { "bytes", "string?", "the command's bytes" },
  Q = { "fds", "(uring.Descriptor|false)[]", "descriptors; false for none, -2 to leave a slot" },
  J = { "id", "integer|uring.Descriptor", "a process, a group, or a descriptor of a process" },
  K = { "op", "integer|string", "`\"add\"`, `\"mod\"`, `\"del\"`, or an `EPOLL_CTL_` number" },
  T = { "event", "table|integer?", "`{events =, data =}`, or the events; nil for `\"del\"`" },
  M = { "max", "integer", "how many at once, 1 to 65536" },
  Y = { "data", "integer?", "of 56 bits; nil for 0" },
  X = { "mask", "integer?", "32 bits; nil for all" },
  g = { "at", "integer?", "the word's place in the buffer, from 0; nil for 0" },
  E = { "futex_flags", "integer?", "`FUTEX2_` flags; nil for 32 bits, this process" },
  r = { "futexes", "table[]", "`{buffer, value, at =, flags =}` each" },
  ["4"] = { "message", "table", "`{iov =, name =, control =}`: a string, a buffer or a list of " ..
    "them; where to; control messages" },
  ["5"] = { "message", "table|integer", "`{iov =, control =, name =}`: bytes, a buffer or a " ..
    "list of them; bytes of room for control messages; false without the address. Or the bytes" },
  ["6"] = { "message", "table?", "`{control =, name =}`: bytes of room for control messages; " ..
    "false without the address" },
  ["2"] = { "group", "uring.Bufring?", "the provided buffers; nil for the ring's own" },
  ["9"] = { -- several
    { "result", "integer?", "with `IORING_NOP_INJECT_RESULT`: the result; nil for 0" },
    { "extra1", "integer?", "with `IORING_NOP_CQE32`: a number for the completion; nil for 0" },
    { "extra2", "integer?", "the same" }
  },
  ["0"] = false, -- no argument
  ["1"] = false,
  ["*"] = false -- the operation is a multishot
}

-- What an argument is that docs/data/operations.lua calls so; else it is what
-- its kind says.
local NAMES <const> = {
  advice = "`POSIX_FADV_` or `MADV_` number; nil for 0, the normal one",
  backlog = "how many connections may wait; nil for 0",
  cqe_flags = "flags of the completion there; nil for 0",
  count = "how many; nil for 0",
  epfd = "the epoll instance",
  fd_out = "the descriptor to write to",
  first = "the number of the first one; nil for 0",
  group = "the group's number; nil for 0",
  idtype = "`P_PID`, `P_PGID`, `P_ALL` or `P_PIDFD`",
  length = "bytes; nil for 0",
  level = "`SOL_SOCKET` and so on; nil for 0",
  name = "the attribute's name",
  new_path = "the new path",
  offset_in = "of `fd_in`, in bytes; nil or -1 for its position, and for a pipe",
  offset_out = "of `fd_out`, likewise",
  opcode = "the number of an operation, with `IORING_ASYNC_CANCEL_OP`; nil for 0",
  option = "`SO_` number and so on; nil for 0",
  options = "`WEXITED` and so on; nil for 0",
  peer = "1 for the other side's address; nil for 0",
  result = "the result there; nil for 0",
  ring = "the other ring, or its descriptor",
  target = "what the link says",
  value = "what is to be there; nil for 0",
  zc_flags = "`IORING_SEND_ZC_REPORT_USAGE`; nil for 0"
}

-- The kind: what an await returns, the types; what the raw layer has in
-- cqe.value beside cqe.res.
local RESULTS <const> = {
  COUNT = { "an integer", "integer" },
  DONE = { "`true`", "true" },
  DATA = { "the bytes as a string; with a buffer how many there are", "integer" },
  FD = { "an Fd", "uring.Fd", "the number in `cqe.res`" },
  ACCEPT = { "an Fd, and the other side's address", "uring.Fd, uring.Address",
    "the number in `cqe.res`, the address in `cqe.value`" },
  STATX = { "a table", "uring.Statx", "the table in `cqe.value`" },
  TIMEOUT = { "`true`", "true", "`-ETIME` in `cqe.res` when the time is over" },
  DIRECT = { "a direct Fd", "uring.Fd", "the slot in `cqe.res` if the kernel has chosen it, " ..
    "else 0" },
  ACCEPT_DIRECT = { "a direct Fd, and the other side's address", "uring.Fd, uring.Address",
    "the slot in `cqe.res` if the kernel has chosen it, else 0; the address in `cqe.value`" },
  PIPE = { "two Fds, to read and to write", "uring.Fd, uring.Fd", "both numbers in `cqe.value`" },
  PIPE_DIRECT = { "two direct Fds, to read and to write", "uring.Fd, uring.Fd",
    "both slots in `cqe.value`" },
  SLOTS = { "how many, or a list of direct Fds", "integer|uring.Fd[]", "the slots in `cqe.value`" },
  OPTION = { "an integer or a string; with a buffer how many bytes", "integer|string",
    "the integer in `cqe.value`" },
  NAME = { "an address", "uring.Address", "the address in `cqe.value`" },
  EVENTS = { "a list of `{events =, data =}`", "table[]", "the list in `cqe.value`" },
  SIGINFO = { "a table: `pid`, `uid`, `status`, `code`, `signo`, and `how`, as `\"exited\"`; " ..
    "false when no child has changed", "table|false", "the table in `cqe.value`" },
  INDEX = { "which one, from 1", "integer", "counted from 0 in `cqe.res`" },
  UPDATE = { "`true`", "true" },
  MESSAGE = { "the data as a string, or with buffers how many bytes; and a table: `name`, " ..
    "`flags`, `truncated`, `control`, `control_truncated`", "string|integer, table",
    "the table in `cqe.value`, with the data as `data`; descriptors that came are objects" },
  SENT = { "an integer", "integer" },
  STAMP = { "a table: `id`, `sec`, `nsec`, `type` (`\"sent\"`, `\"scheduled\"` or " ..
    "`\"acknowledged\"`), and `hardware`, whose clock it is", "table",
    "the id in `cqe.res`, the time in `cqe.extra1` and `extra2`" },
  CHAIN = { "a list of results", "table" } -- of no row: what op.link gives
}

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- Sections of ops.def by the names of their operations, and its letters.
local function read_ops()
  local text <const> = read "src/ops.def"
  local sections <const>, letters <const> = {}, {}
  local section = "doing nothing"
  for letter in text:gmatch '#define %w+ "(.)"' do letters[letter] = true end
  for line in text:gmatch "[^\n]+" do
    section = line:match "^/%* %-%-%-%- (.-) %-%-%-%- %*/" or section
    local name <const> = line:match "^OP%(([%w_]+)"
    if name then sections[name] = section end
  end
  return sections, letters
end

-- The names of ResultKind in its order, from 0.
local function read_results()
  local body <const> = read "src/op.h":match "typedef enum {([^}]*)} ResultKind"
  local names <const> = {}
  local n = 0
  for name in body:gsub("/%*.-%*/", ""):gmatch "RES_([%u_]+)" do
    names[n] = name
    n = n + 1
  end
  return names
end

-- Every key of the table 'from' is one of the table 'to'.
local function within(what, from, to, source, target)
  for key in pairs(from) do
    if to[key] == nil then
      error(("%s '%s' of %s is not in %s: add it, and make docs"):format(what, key, source, target))
    end
  end
end

local function same(what, here, there, path)
  within(what, there, here, path, ".ci/kinds.lua")
  within(what, here, there, ".ci/kinds.lua", path)
end

local sections <const>, letters <const> = read_ops()
local results <const> = read_results()
local kinds <const> = {}
for _, name in pairs(results) do kinds[name] = true end
same("the letter", ARGUMENTS, letters, "src/ops.def")
same("the result", RESULTS, kinds, "src/op.h")

local M = {}

--- The section of ops.def that an operation is in.
function M.section(name) return sections[name] or "others" end

--- The arguments of a row of core.ops, named by 'known', its row of
--- docs/data/operations.lua: a list of {name, type, doc, optional, letter}.
function M.arguments(row, known)
  local list <const> = {}
  local names <const> = (known.args or ""):gmatch "%S+"
  for letter in row.args:gmatch "." do
    local kind <const> = ARGUMENTS[letter]
    for _, argument in ipairs(kind and (type(kind[1]) == "table" and kind or { kind }) or {}) do
      local name <const>, type <const>, doc <const> = table.unpack(argument)
      local given <const> = names()
      list[#list + 1] = { name = given or name, type = type:gsub("%?$", ""), letter = letter,
        doc = given and given ~= name and NAMES[given] or doc, optional = type:sub(-1) == "?" }
    end
  end
  local _, given <const> = (known.args or ""):gsub("%S+", "")
  assert(not known.args or given == #list, ("docs/data/operations.lua: %s has %d arguments " ..
    "(%s), " ..
    "not %d"):format(row.name, #list, row.args, given))
  return list
end

--- The result of a row: doc, types, and what the raw layer has.
function M.result(row) return table.unpack(RESULTS[results[row.result]], 1, 3) end

--- Does the await of a row return an iterator?
function M.multishot(row) return row.args:find "%*" ~= nil end

return M
