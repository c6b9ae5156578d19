---@meta uring.op

-- Made by `make docs` from the table of operations: do not edit.  For editors;
-- no program requires this file.

---@class uring.op
local op = {}

---Whether the running kernel has the operation.
---@param name string
---@return boolean?
---@return string? message
---@return integer? errno
function op.supported(name) end

---A chain: `f(c)` calls the operations as methods of `c`, as `c:read(fd, 100)`, and each begins when the one before has succeeded. All are submitted at once and awaited together. Returns the list of results, where a failure is `{nil, message, errno}`, and the place of the first failure. When it is cancelled and some are done, it returns them, and the next await raises. `c:with{...}` is `op.with` for the next one. (With paths it is the operation of that name.)
---@param f function
---@return table
---@return integer?
function op.link(f) end

---The same, but it goes on after a failure.
---@param f function
---@return table
---@return integer?
function op.hardlink(f) end

---The operations with options for one: `async`, `drain`, `fixed_file` (numbers are slots of the ring's table), `ioprio`, `personality`; as `op.with{async = true}.read(fd, 100)`.
---@param options table
---@return table
function op.with(options) end

---Does nothing, through the whole path of an operation.
---@param flags? integer # nil for 0
---@param result? integer # with `IORING_NOP_INJECT_RESULT`: the result; nil for 0
---@param extra1? integer # with `IORING_NOP_CQE32`: a number for the completion; nil for 0
---@param extra2? integer # the same
---@return integer?
---@return string? message
---@return integer? errno
function op.nop(flags, result, extra1, extra2) end

---The same in an entry of 128 bytes, for rings with sqe128 or sqe_mixed.
---@return integer?
---@return string? message
---@return integer? errno
function op.nop128() end

---Reads from a file, a pipe, a socket, a terminal.
---@param fd uring.Descriptor # a descriptor
---@param buffer uring.Buffer # memory to fill; of `sqe:prep_` also nil, for a provided buffer
---@param length? integer # bytes; nil for all there are
---@param offset? integer # in bytes; nil or -1 for the file's position
---@overload fun(fd: uring.Descriptor, n: integer, offset?: integer): string?, string?, integer?
---@return integer?
---@return string? message
---@return integer? errno
function op.read(fd, buffer, length, offset) end

---Writes to a file, a pipe, a socket, a terminal.
---@param fd uring.Descriptor # a descriptor
---@param data uring.Data # what to write: a string or a buffer
---@param length? integer # bytes; nil for all there are
---@param offset? integer # in bytes; nil or -1 for the file's position
---@return integer?
---@return string? message
---@return integer? errno
function op.write(fd, data, length, offset) end

---Reads into several buffers, one after the other.
---@param fd uring.Descriptor # a descriptor
---@param buffers uring.Buffer[] # up to 1024 buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@return integer?
---@return string? message
---@return integer? errno
function op.readv(fd, buffers, offset) end

---Writes several strings and buffers, one after the other.
---@param fd uring.Descriptor # a descriptor
---@param pieces uring.Data[] # up to 1024 strings and buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@return integer?
---@return string? message
---@return integer? errno
function op.writev(fd, pieces, offset) end

---The same with the flags of preadv2(2).
---@param fd uring.Descriptor # a descriptor
---@param buffers uring.Buffer[] # up to 1024 buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.readv2(fd, buffers, offset, flags) end

---The same with the flags of pwritev2(2).
---@param fd uring.Descriptor # a descriptor
---@param pieces uring.Data[] # up to 1024 strings and buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.writev2(fd, pieces, offset, flags) end

---Reads into a registered buffer, which the kernel need not map for it.
---@param fd uring.Descriptor # a descriptor
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param index? integer # of a registered buffer or a group; nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.read_fixed(fd, buffer, length, offset, index) end

---Writes from a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param index? integer # of a registered buffer or a group; nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.write_fixed(fd, buffer, length, offset, index) end

---Reads into several parts of a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param buffers uring.Buffer[] # up to 1024 buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param flags? integer # nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.readv_fixed(fd, buffers, offset, flags, index) end

---Writes several parts of a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param buffers uring.Buffer[] # up to 1024 buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param flags? integer # nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.writev_fixed(fd, buffers, offset, flags, index) end

---Reads again and again, into provided buffers, as data comes.
---@param fd uring.Descriptor # a descriptor
---@param length? integer # bytes; nil for 0
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param group? uring.Bufring # the provided buffers; nil for the ring's own
---@return uring.Multishot?
---@return string? message
---@return integer? errno
function op.read_multishot(fd, length, offset, group) end

---Opens a file, relative to a directory.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param flags? integer # nil for 0
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.openat(dir, path, flags, mode) end

---Opens a file.
---@param path string # a path
---@param flags? integer # nil for 0
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.open(path, flags, mode) end

---Opens a file, and says how its path may be resolved.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param how table # `{flags =, mode =, resolve =}`, integers
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.openat2(dir, path, how) end

---Opens a file into the ring's table of descriptors.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param flags? integer # nil for 0
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.openat_direct(dir, path, flags, mode, slot) end

---Opens a file into the ring's table, relative to the current directory.
---@param path string # a path
---@param flags? integer # nil for 0
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.open_direct(path, flags, mode, slot) end

---The same into the ring's table of descriptors.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param how table # `{flags =, mode =, resolve =}`, integers
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.openat2_direct(dir, path, how, slot) end

---Empties a slot of the ring's table.
---@param direct uring.Fd|integer # a direct descriptor, or its slot
---@return true?
---@return string? message
---@return integer? errno
function op.close_direct(direct) end

---Makes an ordinary descriptor of a direct one.
---@param direct uring.Fd|integer # a direct descriptor, or its slot
---@param flags? integer # nil for 0
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.fixed_fd_install(direct, flags) end

---Puts descriptors into the ring's table of descriptors.
---@param fds (uring.Descriptor|false)[] # descriptors; false for none, -2 to leave a slot
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return integer|uring.Fd[]?
---@return string? message
---@return integer? errno
function op.files_update(fds, slot) end

---Closes a descriptor.
---@param fd uring.Descriptor # a descriptor
---@return true?
---@return string? message
---@return integer? errno
function op.close(fd) end

---Has the disk keep what was written to a file.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.fsync(fd, flags) end

---Says what a file is: its size, owner, times.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param flags? integer # nil for 0
---@param fields? integer|string|string[] # `STATX_` mask, or names, as `"size"`; nil for the basic ones and `btime`
---@return uring.Statx?
---@return string? message
---@return integer? errno
function op.statx(dir, path, flags, fields) end

---Reserves room in a file, or frees a part of it.
---@param fd uring.Descriptor # a descriptor
---@param mode? integer # nil for 0
---@param start? integer # in bytes; nil for 0
---@param length integer # bytes; nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.fallocate(fd, mode, start, length) end

---Makes a file shorter or longer.
---@param fd uring.Descriptor # a descriptor
---@param size integer # bytes
---@return true?
---@return string? message
---@return integer? errno
function op.ftruncate(fd, size) end

---Says how a range of a file will be used.
---@param fd uring.Descriptor # a descriptor
---@param start? integer # in bytes; nil for 0
---@param length? integer # bytes; nil for 0
---@param advice? integer # `POSIX_FADV_` or `MADV_` number; nil for 0, the normal one
---@return true?
---@return string? message
---@return integer? errno
function op.fadvise(fd, start, length, advice) end

---The same with a length of 64 bits.
---@param fd uring.Descriptor # a descriptor
---@param start? integer # in bytes; nil for 0
---@param length integer # bytes; nil for 0
---@param advice? integer # `POSIX_FADV_` or `MADV_` number; nil for 0, the normal one
---@return true?
---@return string? message
---@return integer? errno
function op.fadvise64(fd, start, length, advice) end

---Says how memory will be used.
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param advice? integer # `POSIX_FADV_` or `MADV_` number; nil for 0, the normal one
---@return true?
---@return string? message
---@return integer? errno
function op.madvise(buffer, length, advice) end

---The same with a length of 64 bits.
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param advice? integer # `POSIX_FADV_` or `MADV_` number; nil for 0, the normal one
---@return true?
---@return string? message
---@return integer? errno
function op.madvise64(buffer, length, advice) end

---Has a range of a file written to the disk, or waits for that.
---@param fd uring.Descriptor # a descriptor
---@param length? integer # bytes; nil for 0
---@param start? integer # in bytes; nil for 0
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.sync_file_range(fd, length, start, flags) end

---Moves bytes between two descriptors, of which one is a pipe, inside the kernel.
---@param fd_in uring.Descriptor # the descriptor to read from
---@param offset_in? integer # of `fd_in`, in bytes; nil or -1 for its position, and for a pipe
---@param fd_out uring.Descriptor # the descriptor to write to
---@param offset_out? integer # of `fd_out`, likewise
---@param length? integer # bytes; nil for 0
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.splice(fd_in, offset_in, fd_out, offset_out, length, flags) end

---Copies bytes from a pipe to another without taking them.
---@param fd_in uring.Descriptor # the descriptor to read from
---@param fd_out uring.Descriptor # the descriptor to write to
---@param length? integer # bytes; nil for 0
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.tee(fd_in, fd_out, length, flags) end

---Makes a pipe.
---@param flags? integer # nil for 0
---@return uring.Fd?
---@return uring.Fd|string?
---@return integer? errno
function op.pipe(flags) end

---Makes a pipe in the ring's table of descriptors.
---@param flags? integer # nil for 0
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Fd?
---@return uring.Fd|string?
---@return integer? errno
function op.pipe_direct(flags, slot) end

---Gets an extended attribute of a file.
---@param name string # a name or path
---@param buffer? uring.Buffer # memory to fill; nil for a string of any length, 0 to ask for the length alone
---@param path string # a path
---@param length? integer # bytes; nil for all there are
---@overload fun(name: string, buffer?: uring.Buffer, path: string, length?: integer): string?, string?, integer?
---@return integer?
---@return string? message
---@return integer? errno
function op.getxattr(name, buffer, path, length) end

---Sets an extended attribute of a file.
---@param name string # a name or path
---@param value uring.Data # what is to be there; nil for 0
---@param path string # a path
---@param flags? integer # nil for 0
---@param length? integer # bytes; nil for all there are
---@return true?
---@return string? message
---@return integer? errno
function op.setxattr(name, value, path, flags, length) end

---Gets an extended attribute of an open file.
---@param fd uring.Descriptor # a descriptor
---@param name string # a name or path
---@param buffer? uring.Buffer # memory to fill; nil for a string of any length, 0 to ask for the length alone
---@param length? integer # bytes; nil for all there are
---@overload fun(fd: uring.Descriptor, name: string, buffer?: uring.Buffer, length?: integer): string?, string?, integer?
---@return integer?
---@return string? message
---@return integer? errno
function op.fgetxattr(fd, name, buffer, length) end

---Sets an extended attribute of an open file.
---@param fd uring.Descriptor # a descriptor
---@param name string # a name or path
---@param value uring.Data # what is to be there; nil for 0
---@param flags? integer # nil for 0
---@param length? integer # bytes; nil for all there are
---@return true?
---@return string? message
---@return integer? errno
function op.fsetxattr(fd, name, value, flags, length) end

---Makes a directory.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@return true?
---@return string? message
---@return integer? errno
function op.mkdirat(dir, path, mode) end

---Makes a directory.
---@param path string # a path
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@return true?
---@return string? message
---@return integer? errno
function op.mkdir(path, mode) end

---Gives a file another name.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param new_dir? uring.Descriptor # the directory; nil for the current one
---@param new_path string # the new path
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.renameat(dir, path, new_dir, new_path, flags) end

---Gives a file another name.
---@param path string # a path
---@param new_path string # the new path
---@return true?
---@return string? message
---@return integer? errno
function op.rename(path, new_path) end

---Removes a file, or with `AT_REMOVEDIR` a directory.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.unlinkat(dir, path, flags) end

---Removes a file.
---@param path string # a path
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.unlink(path, flags) end

---Makes a symbolic link.
---@param target string # what the link says
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@return true?
---@return string? message
---@return integer? errno
function op.symlinkat(target, dir, path) end

---Makes a symbolic link.
---@param target string # what the link says
---@param path string # a path
---@return true?
---@return string? message
---@return integer? errno
function op.symlink(target, path) end

---Gives a file a second name.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param new_dir? uring.Descriptor # the directory; nil for the current one
---@param new_path string # the new path
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.linkat(dir, path, new_dir, new_path, flags) end

---Gives a file a second name.
---@param path string # a path
---@param new_path string # the new path
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.link(path, new_path, flags) end

---Makes a socket.
---@param domain integer # `AF_INET` and so on
---@param type integer # `SOCK_STREAM` and so on
---@param protocol? integer # nil for 0
---@param flags? integer # nil for 0
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.socket(domain, type, protocol, flags) end

---Makes a socket in the ring's table of descriptors.
---@param domain integer # `AF_INET` and so on
---@param type integer # `SOCK_STREAM` and so on
---@param protocol? integer # nil for 0
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@param flags? integer # nil for 0
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.socket_direct(domain, type, protocol, slot, flags) end

---The same in any free slot.
---@param domain integer # `AF_INET` and so on
---@param type integer # `SOCK_STREAM` and so on
---@param protocol? integer # nil for 0
---@param flags? integer # nil for 0
---@return uring.Fd?
---@return string? message
---@return integer? errno
function op.socket_direct_alloc(domain, type, protocol, flags) end

---Gives a socket its own address.
---@param fd uring.Descriptor # a descriptor
---@param address uring.AddressLike # as `"127.0.0.1:80"`, or a table
---@return true?
---@return string? message
---@return integer? errno
function op.bind(fd, address) end

---Lets a socket take connections.
---@param fd uring.Descriptor # a descriptor
---@param backlog? integer # how many connections may wait; nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.listen(fd, backlog) end

---Takes a connection from a listening socket.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return uring.Fd?
---@return uring.Address|string?
---@return integer? errno
function op.accept(fd, flags) end

---Takes a connection into the ring's table of descriptors.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Fd?
---@return uring.Address|string?
---@return integer? errno
function op.accept_direct(fd, flags, slot) end

---Takes connection after connection.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return uring.Multishot?
---@return string? message
---@return integer? errno
function op.accept_multishot(fd, flags) end

---Takes connection after connection into free slots of the ring's table.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return uring.Multishot?
---@return string? message
---@return integer? errno
function op.accept_multishot_direct(fd, flags) end

---Connects a socket.
---@param fd uring.Descriptor # a descriptor
---@param address uring.AddressLike # as `"127.0.0.1:80"`, or a table
---@return true?
---@return string? message
---@return integer? errno
function op.connect(fd, address) end

---Sends to a connected socket.
---@param fd uring.Descriptor # a descriptor
---@param data uring.Data # what to write: a string or a buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.send(fd, data, length, flags) end

---Sends to an address.
---@param fd uring.Descriptor # a descriptor
---@param data uring.Data # what to write: a string or a buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@param address? uring.AddressLike # where to; nil for the connected one
---@return integer?
---@return string? message
---@return integer? errno
function op.sendto(fd, data, length, flags, address) end

---Sends without copying the data.
---@param fd uring.Descriptor # a descriptor
---@param data uring.Data # what to write: a string or a buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@param zc_flags? integer # `IORING_SEND_ZC_REPORT_USAGE`; nil for 0
---@param address? uring.AddressLike # where to; nil for the connected one
---@return integer?
---@return string? message
---@return integer? errno
function op.send_zc(fd, data, length, flags, zc_flags, address) end

---The same from a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@param zc_flags? integer # `IORING_SEND_ZC_REPORT_USAGE`; nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@param address? uring.AddressLike # where to; nil for the connected one
---@return integer?
---@return string? message
---@return integer? errno
function op.send_zc_fixed(fd, buffer, length, flags, zc_flags, index, address) end

---Receives from a socket.
---@param fd uring.Descriptor # a descriptor
---@param buffer uring.Buffer # memory to fill; of `sqe:prep_` also nil, for a provided buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@overload fun(fd: uring.Descriptor, n: integer, flags?: integer): string?, string?, integer?
---@return integer?
---@return string? message
---@return integer? errno
function op.recv(fd, buffer, length, flags) end

---Sends as many provided buffers as there are, in one go.
---@param fd uring.Descriptor # a descriptor
---@param length? integer # bytes; nil for 0
---@param flags? integer # nil for 0
---@param group? uring.Bufring # the provided buffers; nil for the ring's own
---@return integer?
---@return string? message
---@return integer? errno
function op.send_bundle(fd, length, flags, group) end

---Sends strings and buffers in one go.
---@param fd uring.Descriptor # a descriptor
---@param pieces uring.Data[] # up to 1024 strings and buffers
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.send_vectorized(fd, pieces, flags) end

---Sends to a socket what one buffer and one address cannot say: pieces, descriptors, credentials.
---@param fd uring.Descriptor # a descriptor
---@param message table # `{iov =, name =, control =}`: a string, a buffer or a list of them; where to; control messages
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.sendmsg(fd, message, flags) end

---Sends a message without copying its data.
---@param fd uring.Descriptor # a descriptor
---@param message table # `{iov =, name =, control =}`: a string, a buffer or a list of them; where to; control messages
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.sendmsg_zc(fd, message, flags) end

---The same from a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param message table # `{iov =, name =, control =}`: a string, a buffer or a list of them; where to; control messages
---@param flags? integer # nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.sendmsg_zc_fixed(fd, message, flags, index) end

---Receives a message with its address and control messages.
---@param fd uring.Descriptor # a descriptor
---@param message table|integer # `{iov =, control =, name =}`: bytes, a buffer or a list of them; bytes of room for control messages; false without the address. Or the bytes
---@param flags? integer # nil for 0
---@return string|integer?
---@return table|string?
---@return integer? errno
function op.recvmsg(fd, message, flags) end

---Receives message after message into provided buffers.
---@param fd uring.Descriptor # a descriptor
---@param message? table # `{control =, name =}`: bytes of room for control messages; false without the address
---@param flags? integer # nil for 0
---@param group? uring.Bufring # the provided buffers; nil for the ring's own
---@return uring.Multishot?
---@return string? message
---@return integer? errno
function op.recvmsg_multishot(fd, message, flags, group) end

---Receives into memory of ours without a copy, from a queue of a network card.
---@param fd uring.Descriptor # a descriptor
---@param count? integer # nil for 0
---@param flags? integer # nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@return uring.Multishot?
---@return string? message
---@return integer? errno
function op.recv_zc(fd, count, flags, index) end

---Receives again and again, into provided buffers, as data comes.
---@param fd uring.Descriptor # a descriptor
---@param group? uring.Bufring # the provided buffers; nil for the ring's own
---@param length? integer # bytes; nil for 0
---@param flags? integer # nil for 0
---@return uring.Multishot?
---@return string? message
---@return integer? errno
function op.recv_multishot(fd, group, length, flags) end

---Ends one or both directions of a connection.
---@param fd uring.Descriptor # a descriptor
---@param how integer|string # `"read"`, `"write"`, `"both"`, or a `SHUT_` number
---@return true?
---@return string? message
---@return integer? errno
function op.shutdown(fd, how) end

---Asks a socket, or sets an option of it.
---@param command integer # `SOCKET_URING_OP_` number
---@param fd uring.Descriptor # a descriptor
---@param level? integer # `SOL_SOCKET` and so on; nil for 0
---@param option? integer # `SO_` number and so on; nil for 0
---@param value any # to set: an integer, a boolean, a string or a buffer; to get: nil for an integer, a number of bytes for a string, or a buffer
---@return integer|string?
---@return string? message
---@return integer? errno
function op.cmd_sock(command, fd, level, option, value) end

---Tells when packets of a socket were sent.
---@param fd uring.Descriptor # a descriptor
---@return uring.Multishot?
---@return string? message
---@return integer? errno
function op.cmd_tx_timestamp(fd) end

---Says a socket's own address, or with `peer` 1 the other side's.
---@param fd uring.Descriptor # a descriptor
---@param peer? integer # 1 for the other side's address; nil for 0
---@return uring.Address?
---@return string? message
---@return integer? errno
function op.cmd_getsockname(fd, peer) end

---Waits until a descriptor is ready.
---@param fd uring.Descriptor # a descriptor
---@param events integer # `POLLIN` and so on
---@return integer?
---@return string? message
---@return integer? errno
function op.poll_add(fd, events) end

---The same again and again, a completion each time.
---@param fd uring.Descriptor # a descriptor
---@param events integer # `POLLIN` and so on
---@return uring.Multishot?
---@return string? message
---@return integer? errno
function op.poll_multishot(fd, events) end

---Ends a poll_add or poll_multishot, which then gives ECANCELED.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@return true?
---@return string? message
---@return integer? errno
function op.poll_remove(target) end

---Changes the events that a poll waits for, or its data.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param data? integer # nil for as it is
---@param events? integer # nil for 0
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.poll_update(target, data, events, flags) end

---Waits for a time, or for so many other completions.
---@param seconds number # a time in seconds
---@param count? integer # nil for 0
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.timeout(seconds, count, flags) end

---Comes back again and again, `count` times or for ever.
---@param seconds number # a time in seconds
---@param count? integer # nil for 0
---@param flags? integer # nil for 0
---@return uring.Multishot?
---@return string? message
---@return integer? errno
function op.timeout_multishot(seconds, count, flags) end

---Ends a timeout, which then gives ECANCELED.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.timeout_remove(target, flags) end

---Gives a timeout another time.
---@param seconds number # a time in seconds
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.timeout_update(seconds, target, flags) end

---Limits the time of the operation before it, which must be linked to it.
---@param seconds number # a time in seconds
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.link_timeout(seconds, flags) end

---Cancels operations: one by its sqe, its task or its data, or several by flags.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param flags? integer # nil for 0
---@param opcode? integer # the number of an operation, with `IORING_ASYNC_CANCEL_OP`; nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.cancel(target, flags, opcode) end

---The same as cancel, which takes integers, too.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param flags? integer # nil for 0
---@param opcode? integer # the number of an operation, with `IORING_ASYNC_CANCEL_OP`; nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.cancel64(target, flags, opcode) end

---Cancels the operations on a descriptor.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.cancel_fd(fd, flags) end

---Adds a descriptor to an epoll instance, changes or removes it.
---@param epfd uring.Descriptor # the epoll instance
---@param fd uring.Descriptor # a descriptor, which must not be a direct one
---@param op integer|string # `"add"`, `"mod"`, `"del"`, or an `EPOLL_CTL_` number
---@param event? table|integer # `{events =, data =}`, or the events; nil for `"del"`
---@return true?
---@return string? message
---@return integer? errno
function op.epoll_ctl(epfd, fd, op, event) end

---Waits for events of an epoll instance.
---@param epfd uring.Descriptor # the epoll instance
---@param max integer # how many at once, 1 to 65536
---@param flags? integer # nil for 0
---@return table[]?
---@return string? message
---@return integer? errno
function op.epoll_wait(epfd, max, flags) end

---Sends a number and a result to another ring, which gets them as a completion.
---@param ring uring.Descriptor # the other ring, or its descriptor
---@param result? integer # the result there; nil for 0
---@param data? integer # of 56 bits; nil for 0
---@param flags? integer # nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.msg_ring(ring, result, data, flags) end

---The same with the flags of the completion.
---@param ring uring.Descriptor # the other ring, or its descriptor
---@param result? integer # the result there; nil for 0
---@param data? integer # of 56 bits; nil for 0
---@param flags? integer # nil for 0
---@param cqe_flags? integer # flags of the completion there; nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.msg_ring_cqe_flags(ring, result, data, flags, cqe_flags) end

---Sends a direct descriptor to a slot of another ring's table.
---@param ring uring.Descriptor # the other ring, or its descriptor
---@param direct uring.Fd|integer # a direct descriptor, or its slot
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@param data? integer # of 56 bits; nil for 0
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.msg_ring_fd(ring, direct, slot, data, flags) end

---The same to any free slot.
---@param ring uring.Descriptor # the other ring, or its descriptor
---@param direct uring.Fd|integer # a direct descriptor, or its slot
---@param data? integer # of 56 bits; nil for 0
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.msg_ring_fd_alloc(ring, direct, data, flags) end

---Waits until the four bytes in a buffer are not what is expected, and somebody wakes.
---@param buffer uring.Buffer # a buffer
---@param value? integer # what is to be there; nil for 0
---@param mask? integer # 32 bits; nil for all
---@param futex_flags? integer # `FUTEX2_` flags; nil for 32 bits, this process
---@param flags? integer # nil for 0
---@param at? integer # the word's place in the buffer, from 0; nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.futex_wait(buffer, value, mask, futex_flags, flags, at) end

---Wakes those who wait for a word in a buffer.
---@param buffer uring.Buffer # a buffer
---@param count? integer # nil for 0
---@param mask? integer # 32 bits; nil for all
---@param futex_flags? integer # `FUTEX2_` flags; nil for 32 bits, this process
---@param flags? integer # nil for 0
---@param at? integer # the word's place in the buffer, from 0; nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.futex_wake(buffer, count, mask, futex_flags, flags, at) end

---Waits for one of up to 128 words.
---@param futexes table[] # `{buffer, value, at =, flags =}` each
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.futex_waitv(futexes, flags) end

---Waits until a child has ended, stopped or goes on.
---@param idtype integer # `P_PID`, `P_PGID`, `P_ALL` or `P_PIDFD`
---@param id integer|uring.Descriptor # a process, a group, or a descriptor of a process
---@param options? integer # `WEXITED` and so on; nil for 0
---@param flags? integer # nil for 0
---@return table|false?
---@return string? message
---@return integer? errno
function op.waitid(idtype, id, options, flags) end

---Gives the kernel pieces of a buffer, for operations that choose one.
---@param buffer uring.Buffer # a buffer
---@param length integer # bytes; nil for 0
---@param count? integer # nil for 0
---@param group? integer # the group's number; nil for 0
---@param first? integer # the number of the first one; nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.provide_buffers(buffer, length, count, group, first) end

---Takes back pieces that were provided.
---@param count? integer # nil for 0
---@param group? integer # the group's number; nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.remove_buffers(count, group) end

---Gives a driver a command of its own.
---@param command integer # the driver's number
---@param fd uring.Descriptor # a descriptor
---@param bytes? string # the command's bytes
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.uring_cmd(command, fd, bytes, flags) end

---The same with up to 80 bytes, in an entry of 128.
---@param command integer # the driver's number
---@param fd uring.Descriptor # a descriptor
---@param bytes? string # the command's bytes
---@param flags? integer # nil for 0
---@return integer?
---@return string? message
---@return integer? errno
function op.uring_cmd128(command, fd, bytes, flags) end

---Forgets blocks of a device, whose contents are lost.
---@param fd uring.Descriptor # a descriptor
---@param start? integer # in bytes; nil for 0
---@param length integer # bytes; nil for 0
---@return true?
---@return string? message
---@return integer? errno
function op.cmd_discard(fd, start, length) end

return op
