-- Addresses: what a script may write, and what it gets back.

local core = require "uring.core"

local address = core.address

local function fields(a)
  local t = {}
  for k, v in pairs(a) do t[k] = v end
  return t
end

local function refuses(value, message)
  local ok, err = pcall(address, value)
  assert.is_false(ok)
  assert.matches("bad argument #1 to '[%w.]*address' %(", err)
  assert.matches(message, err, 1, true)
end

describe("an address", function()
  describe("as text", function()
    local cases <const> = {
      { "127.0.0.1:80", { family = "inet", host = "127.0.0.1", port = 80 } },
      { "0.0.0.0:0", { family = "inet", host = "0.0.0.0", port = 0 } },
      { "255.255.255.255:65535",
        { family = "inet", host = "255.255.255.255", port = 65535 } },
      { "[::1]:80", { family = "inet6", host = "::1", port = 80 } },
      { "[::]:0", { family = "inet6", host = "::", port = 0 } },
      { "[::ffff:1.2.3.4]:5",
        { family = "inet6", host = "::ffff:1.2.3.4", port = 5 } },
      { "[fe80::1%lo]:80",
        { family = "inet6", host = "fe80::1%lo", port = 80 } },
      { "unix:/run/x.sock", { family = "unix", path = "/run/x.sock" } },
      { "unix:relative", { family = "unix", path = "relative" } },
      { "unix:@name", { family = "unix", path = "@name" } },
      { "unix:@", { family = "unix", path = "@" } },
      { "unix:", { family = "unix", path = "" } },
      { "unix:127.0.0.1:80", { family = "unix", path = "127.0.0.1:80" } },
    }
    for _, case in ipairs(cases) do
      local text <const>, expected <const> = case[1], case[2]
      it(("reads and writes %q"):format(text), function()
        assert.same(expected, fields(address(text)))
        assert.equal(text, tostring(address(text)))
      end)
    end

    it("comes back in the shortest spelling", function()
      assert.equal("[2001:db8::1]:80",
        tostring(address "[2001:0DB8:0:0:0:0:0:0001]:0080"))
    end)

    it("takes the number of an interface, and writes its name", function()
      assert.equal("fe80::1%lo", address("[fe80::1%1]:80").host)
    end)

    it("keeps the number of an interface that does not exist", function()
      assert.equal("fe80::1%4294967295",
        address("[fe80::1%4294967295]:80").host)
    end)

    it("holds any bytes in an abstract name", function()
      local name = "@\0a\0\255@\n"
      assert.equal(name, address("unix:" .. name).path)
      assert.equal("unix:" .. name, tostring(address("unix:" .. name)))
    end)

    it("holds a path of 107 bytes and an abstract name of as many", function()
      local long = ("p"):rep(107)
      assert.equal(long, address("unix:" .. long).path)
      assert.equal("@" .. long, address("unix:@" .. long).path)
    end)
  end)

  describe("as a table", function()
    it("needs no family", function()
      assert.equal("127.0.0.1:80",
        tostring(address { host = "127.0.0.1", port = 80 }))
      assert.equal("[::1]:80", tostring(address { host = "::1", port = 80 }))
      assert.equal("unix:/x", tostring(address { path = "/x" }))
      assert.equal("unix:@x", tostring(address { path = "@x" }))
    end)

    it("may have the family that it is of", function()
      assert.equal("inet",
        address { family = "inet", host = "127.0.0.1", port = 80 }.family)
      assert.equal("inet6",
        address { family = "inet6", host = "::1", port = 80 }.family)
      assert.equal("unix", address { family = "unix", path = "/x" }.family)
    end)

    it("takes a float that is an integer for a port", function()
      local port = address { host = "127.0.0.1", port = 80.0 }.port
      assert.equal("integer", math.type(port))
      assert.equal(80, port)
    end)

    it("may take its fields from a metatable", function()
      local t = setmetatable({}, { __index = { host = "::1", port = 80 } })
      assert.equal("[::1]:80", tostring(address(t)))
    end)

    it("is a new table each time, and leaves the old one alone", function()
      local t = { host = "127.0.0.1", port = 80 }
      assert.not_equal(t, address(t))
      assert.is_nil(t.family)
    end)

    it("is accepted again", function()
      for _, text in ipairs { "1.2.3.4:5", "[fe80::1%lo]:6", "unix:/x",
                              "unix:@\0x", "unix:" } do
        assert.equal(text, tostring(address(address(text))))
      end
    end)

    it("prints what a script has made of it, without raising", function()
      local a = address "127.0.0.1:80"
      a.port = "http"
      assert.equal("127.0.0.1:http", tostring(a))
      a.host = nil
      assert.equal("family inet", tostring(a))
      a.family = nil
      assert.equal("family nil", tostring(a))
    end)

    it("has a type with a name", function()
      assert.equal("uring.address", getmetatable(address "unix:").__name)
    end)
  end)

  describe("in text is refused", function()
    local cases <const> = {
      { "a name for a host", "localhost:80",
        "numeric address expected, got 'localhost:80'" },
      { "no port", "127.0.0.1",
        "numeric address and port expected, got '127.0.0.1'" },
      { "nothing at all", "", "numeric address and port expected, got ''" },
      { "no host", ":80", "numeric address expected, got ':80'" },
      { "IPv6 without brackets", "::1:80",
        "numeric address expected, got '::1:80'" },
      { "IPv4 in brackets", "[127.0.0.1]:80", "numeric address expected" },
      { "IPv4 in short", "127.1:80", "numeric address expected" },
      { "an open bracket", "[::1:80", "numeric address and port expected" },
      { "a bracket without a port", "[::1]",
        "numeric address and port expected" },
      { "an empty port", "127.0.0.1:",
        "port from 0 to 65535 expected, got ''" },
      { "a port that is too high", "127.0.0.1:65536",
        "port from 0 to 65535 expected, got '65536'" },
      { "a port of very many digits", "127.0.0.1:" .. ("9"):rep(100),
        "port from 0 to 65535 expected" },
      { "a negative port", "127.0.0.1:-1",
        "port from 0 to 65535 expected, got '-1'" },
      { "a service for a port", "[::1]:http",
        "port from 0 to 65535 expected, got 'http'" },
      { "a space after the port", "127.0.0.1:80 ",
        "port from 0 to 65535 expected, got '80 '" },
      { "a host that is very long", ("1"):rep(1000) .. ":80",
        "numeric address expected" },
      { "an interface that does not exist", "[fe80::1%nosuch0]:80",
        "name or number of a network interface expected, got 'nosuch0'" },
      { "an empty interface", "[fe80::1%]:80", "network interface expected" },
      { "an interface of IPv4", "127.0.0.1%lo:80", "numeric address expected" },
      { "a zero byte", "127.0.0.1:80\0", "address contains a zero byte" },
      { "a zero byte in a path", "unix:/a\0b", "path contains a zero byte" },
      { "a path of 108 bytes", "unix:" .. ("p"):rep(108),
        "path is too long, a unix address holds 107 bytes" },
      { "an abstract name of 108 bytes", "unix:@" .. ("p"):rep(108),
        "path is too long, a unix address holds 108 bytes" },
    }
    for _, case in ipairs(cases) do
      it("when it has " .. case[1], function()
        refuses(case[2], case[3])
      end)
    end
  end)

  describe("in a table is refused", function()
    local cases <const> = {
      { "nothing", {}, "address with either a 'host' or a 'path' expected" },
      { "both a host and a path", { host = "::1", port = 1, path = "/x" },
        "address with either a 'host' or a 'path' expected" },
      { "a name for a host", { host = "localhost", port = 80 },
        "numeric address expected, got 'localhost'" },
      { "brackets", { host = "[::1]", port = 80 }, "numeric address expected" },
      { "a zero byte in the host", { host = "::1\0", port = 80 },
        "numeric address expected" },
      { "a number for a host", { host = 127, port = 80 },
        "string expected in field 'host', got number" },
      { "a number for a path", { path = 1 },
        "string expected in field 'path', got number" },
      { "no port", { host = "::1" },
        "integer from 0 to 65535 expected in field 'port', got nil" },
      { "a string for a port", { host = "::1", port = "80" },
        "integer from 0 to 65535 expected in field 'port', got string" },
      { "a fraction for a port", { host = "::1", port = 80.5 },
        "integer from 0 to 65535 expected in field 'port', got 80.5" },
      { "a port that is too high", { host = "::1", port = 65536 },
        "integer from 0 to 65535 expected in field 'port', got 65536" },
      { "a negative port", { host = "::1", port = -1 },
        "integer from 0 to 65535 expected in field 'port', got -1" },
      { "another family", { family = "inet", host = "::1", port = 80 },
        "family 'inet6' expected for this address, got 'inet'" },
      { "an unknown family", { family = "ipx", path = "/x" },
        "family 'unix' expected for this address, got 'ipx'" },
      { "a number for a family", { family = 2, host = "::1", port = 80 },
        "string expected in field 'family', got number" },
      { "a path that is too long", { path = ("p"):rep(200) },
        "path is too long" },
    }
    for _, case in ipairs(cases) do
      it("when it has " .. case[1], function()
        refuses(case[2], case[3])
      end)
    end

    it("with the error of its metamethod", function()
      local t = setmetatable({}, { __index = function() error("mine", 0) end })
      assert.has_error(function() address(t) end, "mine")
    end)
  end)

  describe("of another type", function()
    for _, value in ipairs { 80, 1.5, true, print, coroutine.create(print),
                             io.stdout } do
      it(("is refused (%s)"):format(type(value)), function()
        refuses(value, "address expected, got ")
      end)
    end

    it("is refused (nil, nothing)", function()
      assert.error_matches(function() address(nil) end, "address expected")
      assert.error_matches(function() address() end, "address expected")
    end)
  end)
end)
