-- What docs/friendly.md has, in its order; the text of each entry is the comment
-- above the function in lua/uring.
--
-- A section: the title, its introduction, and the entries: a name is that of a
-- field of uring; a list {class, object, file} stands for the methods of the
-- class, as they are called on the object.

return {
  { "Running", [[
`uring.run` starts the loop; what it runs starts more tasks. A scope waits for the tasks that were
started in it, whatever happens: nothing goes on behind the back of who has left it. When a task
fails, the others of its scope are cancelled, and the scope raises that error. What `spawn` returns
has `join`, `cancel`, `status`, `name`, `traceback`: see
[reference.md](reference.md#task-objects).]],
    "run", "spawn", "scope", { "Scope", "scope", "scope" }, "all", "race", "each", "map",
    "current", "yield" },
  { "Time, cancellation, errors", [[
`task:cancel(reason)`, `scope:cancel(reason)` and a deadline are one thing: every await of the
tasks concerned raises a value that is equal to `uring.cancelled`, and whose `tostring` says why,
as `timed out after 0.5 s`. The one they are in raises it when the kernel has really ended the
operation; when that has succeeded all the same, it returns its result, and the next await raises.
A `pcall` may catch the value, but the next await raises it again. The scope or `timeout` that was
cancelled takes it back when it ends, and returns `nil, reason, ECANCELED` or `nil, "timed out",
ETIMEDOUT`; a `join` of a task that was cancelled raises it. Variables with `<close>` are closed as
ever, and wait inside `uring.shield`. A scope with a deadline is
`uring.timeout(seconds, uring.scope, f)`.]],
    "timeout", "shield", "cancelled", "sleep", "now", "interval", "errors", "on_error" },
  { "Between tasks", [[
First come, first served. A waiter that is cancelled, or whose time is over, takes nothing with it.
All of them work in the main chunk, too, where the loop runs meanwhile.]],
    "channel", { "Channel", "channel", "sync" }, "mutex", { "Mutex", "mutex", "sync" },
    "semaphore", { "Semaphore", "semaphore", "sync" }, "event", { "Event", "event", "sync" },
    "condition", { "Condition", "condition", "sync" }, "select" },
  { "Files", [[
The methods of Lua's own files, and some more.]],
    "open", { "File", "file", "file" } },
  { "Sockets", [[
An address is a text as `"127.0.0.1:80"`, `"[::1]:80"`, `"unix:/run/x.sock"`, `"unix:@name"`, or a
table `{host =, port =}` or `{path =}`; names are not looked up.]],
    "listen", { "Server", "server", "net" }, "connect", { "Stream", "stream", "stream" } },
  { "Reading", [[
What files and streams have in common. One task reads at a time; a second one gets `nil, message,
EBUSY` at once. A read that is cancelled leaves what had come for the next one.]],
    { "Reader", "reader", "reader" } },
  { "Coroutines", [[
`uring.coroutine` has the functions of the standard library. In coroutines that were made or
resumed by them a task may wait, at any depth; in one of the standard library an await raises an
error that says so. A coroutine cannot yield inside a scope, `timeout` or `shield` that it has
opened itself: whoever has resumed it would go on in there.]],
    { "M", "uring.coroutine", "coroutine" } },
  { "Looking on", [[
What a program waits for, and what it has left open.]],
    "tasks", "dump", "trace", "debug", "on_report" },
  { "The layers below", [[
`uring.op` has the operations, `uring.errno` the numbers of errors by name: see
[reference.md](reference.md), also for the methods of [tasks](reference.md#task-objects),
[rings](reference.md#ring-submitting-and-waiting), [buffers](reference.md#buffers) and
[descriptors](reference.md#descriptors).]],
    "ring", "fd", "buffer", "isatty" },
}
