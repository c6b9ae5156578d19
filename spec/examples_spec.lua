-- Every example, as a program of its own.

local uring = require "uring"
local helper = require "spec.helper"

local it <const>, main_it <const> = helper.scoped, helper.main_it
local process <const>, quote <const> = helper.process, helper.quote
local traced_it <const> = helper.traced_it

local function list()
  local names = {}
  for name in helper.shell "ls examples":gmatch "[^\n]+" do
    if name:find "%.lua$" then names[#names + 1] = name end
  end
  return names
end

-- For root: its files stay its own, its powers over others' are gone.
local ordinary <const> = helper.shell "id -u" == "0\n" and "setpriv --bounding-set=-all" or ""
local powerless <const> = helper.shell(ordinary .. " true") == ""

local dir
local function path(name) return dir .. "/" .. name end

local function command(name, ...)
  local words = {}
  for i, word in ipairs {...} do words[i] = quote(word) end
  return "examples/" .. name .. " " .. table.concat(words, " ")
end

-- Run an example: output and exit status.  'before' runs it, 'after' are
-- redirections.
local function run(line, after, before)
  return helper.shell(helper.command(line, before) .. " " .. (after or ""))
end

-- It must fail with just that line.
local function fails(line, output, status)
  assert.equal(line .. "\n", output)
  assert.equal(1, status)
end

-- Bytes that repeat nowhere near.
local function noise(n)
  local file = assert(io.open("/dev/urandom", "rb"))
  local unit = file:read(1 << 16)
  file:close()
  local t = {}
  for i = 1, n // #unit + 1 do t[i] = unit:sub(i % 97 + 1) .. unit:sub(1, i % 97) end
  return table.concat(t):sub(1, n)
end

describe("example", function()
  helper.in_tmpdir(function(name) dir = name end)

  for _, name in ipairs(list()) do
    main_it(name .. " has fewer than 80 lines", function()
      local n = 0
      for _ in io.lines("examples/" .. name) do n = n + 1 end
      assert.is_true(n < 80, n .. " lines")
    end)

    main_it(name .. " has a spec", function()
      local text = helper.read_file "spec/examples_spec.lua"
      assert.is_true(text:find('describe("' .. name .. '"', 1, true) ~= nil)
    end)

    for _, error in ipairs {"EPERM", "ENOSYS", "ENOMEM"} do
      traced_it(("%s says in one line what is wrong without io_uring: %s"):format(name, error),
        function()
          local arguments = name == "cp.lua" and {"README.md", path "copy"}
                            or name == "cat.lua" and {"README.md"} or {}
          local output, status = run(command(name, table.unpack(arguments)), "",
            "env -u LD_PRELOAD strace -f -qq -o /dev/null " ..
            '-E LD_PRELOAD="$LD_PRELOAD" -E ASAN_OPTIONS=detect_leaks=0 ' ..
            "-e trace=io_uring_setup -e inject=io_uring_setup:error=" .. error)
          assert.matches("^" .. name:gsub("%.lua$", "") .. ": io_uring_setup: [^\n]*%(" .. error ..
                         "%)[^\n]*\n$", output)
          assert.equal(1, status)
        end)
    end
  end

  describe("echo_server.lua", function()
    -- f(address) while the server runs; what it has printed.
    local function served(f)
      local out = path "out"
      local pid = tonumber((helper.shell(("(%s) >%s 2>&1 & echo $!"):format(
        helper.command(command("echo_server.lua", "127.0.0.1:0")), out))))
      local address
      for _ = 1, 500 do
        address = helper.read_file(out):match "^listening on (%S+)\n"
        if address then break end
        uring.sleep(0.02)
      end
      local ok, err = pcall(f, assert(address, helper.read_file(out)), pid)
      pcall(process.kill, pid, 9)
      if not ok then error(err, 0) end
      return helper.read_file(out)
    end

    it("echoes what its clients send", function()
      local output = served(function(address)
        local n = helper.scale(50)
        uring.scope(function(s)
          for i = 1, n do
            s:spawn(function()
              local c <close> = assert(uring.connect(address))
              for j = 1, 20 do
                local message = ("%d:%d "):format(i, j):rep(j * j)
                assert(c:write(message))
                assert.equal(message, c:readexact(#message))
              end
              c:shutdown()
              assert.equal("", c:read "a")
            end)
          end
        end)
        local big <close> = assert(uring.connect(address))
        local text = noise(helper.scale(8000000))
        uring.spawn(function() assert(big:write(text)) big:shutdown() end)
        assert.is_true(big:read "a" == text)
      end)
      assert.matches("^listening on 127.0.0.1:%d+\n$", output)
    end)

    it("goes on when clients break off", function()
      local output = served(function(address)
        for i = 1, 20 do
          local c <close> = assert(uring.connect(address))
          c:setopt("linger", 0)
          if i % 2 == 0 then c:write(("x"):rep(100000)) end
        end
        local c <close> = assert(uring.connect(address))
        assert(c:write "still there")
        assert.equal("still there", c:readexact(11))
      end)
      assert.matches("^listening on 127.0.0.1:%d+\n$", output)
    end)

    it("ends in one line at Ctrl-C", function()
      local output = served(function(address, pid)
        local c <close> = assert(uring.connect(address))
        assert(c:write "x")
        assert.equal("x", c:read(1))
        process.kill(pid, 2)
        assert.equal("", c:read "a")
        for _ = 1, 500 do
          if helper.read_file(path "out"):find "!\n" then break end
          uring.sleep(0.01)
        end
      end)
      assert.matches("^listening on [^\n]+\necho_server: interrupted!\n$", output)
    end)

    main_it("says that the address is bad, or in use", function()
      local output, status = run(command("echo_server.lua", "nonsense"))
      assert.matches("^echo_server: [^\n]*numeric address and port expected, got 'nonsense'",
                     output)
      assert.matches("^[^\n]*\n$", output)
      assert.equal(1, status)
      fails("echo_server: bind 192.0.2.1:80: Cannot assign requested address",
            run(command("echo_server.lua", "192.0.2.1:80")))
    end)
  end)

  describe("cat.lua", function()
    main_it("prints files one after the other", function()
      local text = noise(1000000)
      helper.write_file(path "a", text)
      helper.write_file(path "b", "")
      helper.write_file(path "100%d", "percent\n")
      local output, status = run(command("cat.lua", path "a", path "b", path "100%d", path "a"))
      assert.is_true(output == text .. "percent\n" .. text)
      assert.equal(0, status)
    end)

    main_it("prints the standard input: a pipe or a file", function()
      assert.equal("piped\n", (helper.shell("echo piped | (" .. helper.command(
        command "cat.lua") .. ")")))
      helper.write_file(path "a", "from a file")
      assert.equal("from a file", (run(command "cat.lua", "<" .. path "a")))
      helper.write_file(path "b", "[b]")
      assert.equal("[b]from a file[b]",
                   (run(command("cat.lua", path "b", "-", path "b"), "<" .. path "a")))
      assert.equal("", (run(command "cat.lua", "</dev/null")))
    end)

    main_it("names in one line a file that it cannot read, and goes on", function()
      helper.write_file(path "a", "content\n")
      fails("cat: open " .. path "none" .. ": No such file or directory\ncontent",
            run(command("cat.lua", path "none", path "a")))
      fails("cat: open 100%d: No such file or directory", run(command("cat.lua", "100%d")))
      fails("cat: read " .. dir .. ": Is a directory\ncontent",
            run(command("cat.lua", dir, path "a")))
      assert.equal("", (helper.shell("mkdir " .. path "d%d")))
      fails("cat: read " .. path "d%d" .. ": Is a directory", run(command("cat.lua", path "d%d")))
    end)

    main_it("says in one line that it cannot write", function()
      helper.write_file(path "a", "content\n")
      fails("cat: write standard output: No space left on device",
            run(command("cat.lua", path "a", path "a"), ">/dev/full"))
    end)

    main_it("ends when nobody reads any more", function()
      local output = helper.shell(("(%s) | head -c 5"):format(
        helper.command(command("cat.lua", "/dev/zero"))))
      assert.equal(("\0"):rep(5), output)
    end)
  end)

  describe("cp.lua", function()
    local function same(a, b)
      local output, status = helper.shell(("cmp %s %s"):format(quote(a), quote(b)))
      assert.equal("", output)
      assert.equal(0, status)
    end

    local function copied(from, to)
      local output, status = run(command("cp.lua", from, to))
      assert.equal("", output)
      assert.equal(0, status)
      same(from, to)
    end

    local function missing(name)
      local file = io.open(name)
      if file then file:close() end
      assert.is_nil(file)
    end

    -- Sizes around its chunks, and nothing.
    main_it("copies files of any size", function()
      local chunk = 256 * 1024
      for _, size in ipairs {0, 1, 1000, chunk - 1, chunk, chunk + 1, 8 * chunk, 9 * chunk + 7} do
        helper.write_file(path "source", noise(size))
        copied(path "source", path "target")
      end
    end)

    -- 1 GiB with URING_SPEC_SCALE=16
    main_it("copies big files, random and sparse ones", function()
      local size = helper.scale(64 * 1024 * 1024)
      local text = noise(size - 12345)
      helper.write_file(path "source", text)
      copied(path "source", path "target")
      local file = assert(io.open(path "sparse", "wb"))
      for i = 0, 9 do
        file:seek("set", i * size // 10)
        file:write(text:sub(i * 1000 + 1, i * 1000 + 5000))
      end
      file:seek("set", size - 1)
      file:write "\0"
      file:close()
      copied(path "sparse", path "target")
    end)

    main_it("replaces a longer file", function()
      helper.write_file(path "source", "short")
      helper.write_file(path "target", noise(100000))
      copied(path "source", path "target")
    end)

    main_it("keeps the mode, whatever the umask", function()
      helper.write_file(path "source", "x")
      for _, mode in ipairs {"600", "755", "4711", "444"} do
        os.remove(path "target")
        helper.shell(("chmod %s %s"):format(mode, path "source"))
        local output = helper.shell("umask 077; " ..
          helper.command(command("cp.lua", path "source", path "target")))
        assert.equal("", output)
        assert.equal(mode .. "\n", (helper.shell("stat -c %a " .. path "target")))
      end
    end)

    main_it("copies what has no size: a pipe, /proc, a fifo", function()
      local output, status = helper.shell("echo piped | (" .. helper.command(
        command("cp.lua", "/dev/stdin", path "target")) .. ")")
      assert.equal("", output)
      assert.equal(0, status)
      assert.equal("piped\n", helper.read_file(path "target"))
      output = run(command("cp.lua", "/proc/version", path "version"))
      assert.equal("", output)
      same("/proc/version", path "version")
    end)

    main_it("copies to what is no file: a pipe, /dev/null", function()
      local text = noise(1000000)
      helper.write_file(path "source", text)
      local output = helper.shell("(" .. helper.command(
        command("cp.lua", path "source", "/dev/stdout")) .. ") | cat")
      assert.is_true(output == text)
      output = run(command("cp.lua", path "source", "/dev/null"))
      assert.equal("", output)
    end)

    main_it("names a source that is not there, and makes no target", function()
      fails("cp: open " .. path "none" .. ": No such file or directory",
            run(command("cp.lua", path "none", path "target")))
      missing(path "target")
    end)

    main_it("names a source that is a directory", function()
      fails("cp: open " .. dir .. ": Is a directory", run(command("cp.lua", dir, path "target")))
      missing(path "target")
    end)

    main_it("names a target that is full", function()
      helper.write_file(path "source", noise(1000000))
      fails("cp: write /dev/full: No space left on device",
            run(command("cp.lua", path "source", "/dev/full")))
      assert.equal("0\n", (helper.shell "test -c /dev/full; echo $?"))
    end)

    main_it("removes a target that did not become whole", function()
      helper.write_file(path "source", noise(5000000))
      local output, status = helper.shell("trap '' XFSZ; ulimit -f 1000; " ..
        helper.command(command("cp.lua", path "source", path "target")))
      fails("cp: write " .. path "target" .. ": File too large", output, status)
      missing(path "target")
    end)

    main_it("names a target that cannot be made", function()
      helper.write_file(path "source", "x")
      fails("cp: open " .. path "no/target" .. ": No such file or directory",
            run(command("cp.lua", path "source", path "no/target")))
      fails("cp: open " .. dir .. ": Is a directory", run(command("cp.lua", path "source", dir)))
    end)

    local unwritable <const> = powerless and main_it or function(name)
      pending(name .. " (setpriv cannot run here)")
    end
    unwritable("names a file that an ordinary user may not write, or not read", function()
      helper.write_file(path "source", "x")
      helper.write_file(path "target", "kept")
      helper.shell("chmod 444 " .. path "target")
      fails("cp: open " .. path "target" .. ": Permission denied",
            run(command("cp.lua", path "source", path "target"), "", ordinary))
      assert.equal("kept", helper.read_file(path "target"))
      helper.shell("chmod 000 " .. path "source")
      fails("cp: open " .. path "source" .. ": Permission denied",
            run(command("cp.lua", path "source", path "other"), "", ordinary))
      missing(path "other")
    end)

    main_it("does not copy a file over itself", function()
      helper.write_file(path "source", "kept")
      helper.shell(("cd %s && ln source hard && ln -s source soft"):format(dir))
      for _, name in ipairs {"source", "hard", "soft"} do
        fails(("cp: %s and %s are the same file"):format(path "source", path(name)),
              run(command("cp.lua", path "source", path(name))))
      end
      assert.equal("kept", helper.read_file(path "source"))
    end)

    main_it("shows its usage", function()
      for _, arguments in ipairs {{}, {"a"}, {"a", "b", "c"}} do
        local output, status = run(command("cp.lua", table.unpack(arguments)))
        assert.equal("usage: cp.lua SRC DST\n", output)
        assert.equal(2, status)
      end
    end)

    local terminal <const> = "env -u LD_PRELOAD script -qec %s /dev/null"
    local shown <const> = helper.shell(terminal:format "true") == "" and main_it or function(name)
      pending(name .. " (script(1) cannot run here)")
    end
    shown("shows its progress on a terminal", function()
      helper.write_file(path "source", noise(3000000))
      local line = helper.command(command("cp.lua", path "source", path "target"))
      local preload = os.getenv "LD_PRELOAD"
      if preload then line = "export LD_PRELOAD=" .. quote(preload) .. "; " .. line end
      local output = helper.shell(terminal:format(quote(line)))
      assert.matches("^\r%[#* *%] +%d+ %%\r", output)
      assert.matches("\r%[" .. ("#"):rep(50) .. "%] 100 %%\r\n$", output)
      same(path "source", path "target")
    end)
  end)
end)

describe("in_luv.lua", function()
  main_it("serves a file to a client of that loop, which goes on ticking", function()
    for _, file in ipairs { "README.md", "LICENSE" } do
      local output, status = run(command("in_luv.lua", file))
      assert.equal(("%d bytes, unchanged, ticking\n"):format(#helper.read_file(file)), output)
      assert.equal(0, status)
    end
  end)
end)

describe("in_cqueues.lua", function()
  main_it("serves a file to a client of that loop, which goes on ticking", function()
    for _, file in ipairs { "README.md", "LICENSE" } do
      local output, status = run(command("in_cqueues.lua", file))
      assert.equal(("%d bytes, unchanged, ticking\n"):format(#helper.read_file(file)), output)
      assert.equal(0, status)
    end
  end)
end)
