-- What uring.core has beside the operations, for the reference, the annotations
-- and the comparison with liburing.
--
-- A section: the title, of (what its functions are fields of; a class), and
-- rows: the signature, what it does, and
--   c      the functions of liburing that it stands for, the first with a page
--   since  the release of Linux that has it, if the module needs less
--   man    its page, when it is not that of the first function
--
-- In a signature "?" is what may be left out or nil, "!" what may also be
-- nil, message, errno, and a class after ":" what comes back.

return {
  { title = "Module", of = "core", doc = "`local core = require \"uring.core\"`", {
    { "ring(options?: uring.RingOptions): uring.Ring!",
      "Makes a ring. The options are below.",
      c = "io_uring_queue_init io_uring_queue_init_params io_uring_setup " ..
        "io_uring_queue_mmap io_uring_ring_dontfork", man = "io_uring_setup(2)" },
    { "default(options?: uring.RingOptions): uring.Ring!",
      "The ring of operations that run outside any task; made when it is first needed. With " ..
        "options it is made now, and raises when there is one already." },
    { "buffer(size: integer|string, align?: integer): uring.Buffer",
      "Memory for the kernel to fill or to read: so many bytes of zeros, or those of a string. " ..
        "`align` is a power of 2, in bytes: `O_DIRECT` wants 4096." },
    { "fd(number: integer): uring.Fd",
      "Adopts an open descriptor: the object closes it." },
    { "address(what: string|table): uring.Address",
      "The same address as a table with all its fields, in the usual spelling." },
    { "statx(buffer: uring.Buffer): table",
      "The fields of a struct statx at the beginning of the buffer." },
    { "strerror(errno: integer): string, string",
      "The reason and the name of an error: `\"No such file or directory\", \"ENOENT\"`." },
    { "folder(path: string)", "Where the Lua half is: reports do not name its lines." },
    { "reg_wait(wait: table): string",
      "A wait, `{timeout = seconds, min_wait_usec = integer}`, as the 64 bytes of it that " ..
        "belong " ..
        "into the buffer given to `ring:register_region`.",
      man = "io_uring_submit_and_wait_reg(3)", since = "6.13" },
    { "register_query(): table!",
      "What the running kernel has: `request_opcodes`, `register_opcodes`, `features`, " ..
        "`setup_flags`, `enter_flags`, `sqe_flags`. Needs no ring.",
      c = "io_uring_register_query", since = "6.18" },
    { "register_sync_msg(fd: uring.Descriptor, res: integer, data?: integer, flags?: integer): " ..
      "true!",
      "A completion on the ring of that descriptor, from any thread, without a ring of one's own.",
      c = "io_uring_register_sync_msg", since = "6.13" },
    { "register_bpf_filter_task(filter: table): true!",
      "As `ring:register_bpf_filter`, for all rings that this thread will make. Cannot be undone.",
      c = "io_uring_register_bpf_filter_task", since = "7.0" },
  } },

  { title = "Tasks and time", of = "core", doc = "What the friendly layer, `uring`, is made of.", {
    { "spawn(f: function, ...: any): uring.Task!",
      "Starts a task on the ring of the running one, or the default ring." },
    { "nursery(owner: any): uring.Nursery",
      "A place for tasks that somebody answers for together; `owner` is theirs." },
    { "current(): uring.Task?", "The running task." },
    { "owner(): any, uring.Task?", "The owner of the running task, and the task." },
    { "sleep(seconds: number): true!", "Waits." },
    { "check()", "Raises what an await would raise here: for what may go on without one." },
    { "yield(): true", "Lets every task run that is ready." },
    { "now(): number", "Seconds of the monotonic clock." },
    { "timer(seconds: number, f: function): uring.Timer!",
      "Calls `f` when the time is over." },
    { "park(seconds?: number, what?: string): any!",
      "Waits until somebody calls `task:wake`, and returns what that was given; " ..
        "`nil, \"timed out\", ETIMEDOUT` when nobody did in time. `what` is for `uring.dump`." },
    { "waiter(): uring.Task",
      "The running task, or what stands for the main chunk: what to wake after `park`." },
    { "on_end(f?: function)",
      "Calls `f(task, owner, failed, error)` whenever a task has ended; not for one of a " ..
        "nursery that still has its owner, if it succeeded or somebody was waiting for it." },
    { "on_cancel(f?: function)", "Calls `f(task, reason)` for `task:cancel`." },
    { "on_raise(f?: function)",
      "Calls `f(task, error)` with a task that has failed, before a `join` raises its error." },
    { "on_throw(f?: function)",
      "Calls `f(task, error, traceback)` with an error that is going to end the task, where it " ..
        "is raised; what `f` returns goes on instead. A cancellation that comes after that has " ..
        "no traceback." },
    { "on_trace(f?: function)", "Calls `f` with each operation that is submitted or has ended." },
    { "on_report(f?: function)", "Calls `f` with what debug mode has to say." },
    { "debug(on?: boolean): boolean", "Debug mode: whether it was on." },
    { "opened(): table[]", "What debug mode saw opened and not closed: `{fd =, where =}`." },
    { "torture(on: boolean)", "Collects all garbage before every resume; for tests." },
  } },

  { title = "Operations as a table", of = "core.op", doc = "`require \"uring.op\"` is " ..
    "`core.op`: a " ..
    "function for each operation, as described with it, and:", {
    { "supported(name: string): boolean!", "Whether the running kernel has the operation." },
    { "link(f: function): table, integer?", "A chain: `f(c)` calls the operations as methods " ..
      "of `c`, as `c:read(fd, 100)`, and each begins when the one before has succeeded. All are " ..
      "submitted at once and awaited together. Returns the list of results, where a failure is " ..
      "`{nil, message, errno}`, and the place of the first failure. When it is cancelled and " ..
      "some are done, it returns them, and the next await raises. `c:with{...}` is `op.with` " ..
      "for the next one. (With paths it is the operation of that name.)",
      man = "io_uring_linked_requests(7)" },
    { "hardlink(f: function): table, integer?", "The same, but it goes on after a failure.",
      man = "io_uring_linked_requests(7)" },
    { "with(options: table): table", "The operations with options for one: `async`, `drain`, " ..
      "`fixed_file` (numbers are slots of the ring's table), `ioprio`, `personality`; as " ..
      "`op.with{async = true}.read(fd, 100)`.", man = "io_uring_enter(2)" },
  } },

  { title = "core.stream", of = "core.stream", doc = "The same operations for streams: one " ..
    "task at " ..
    "a time is in each direction, and another one gets EBUSY at once.", {
    { "read(fd: uring.Descriptor, ...: any): string|integer!", "As `op.read`." },
    { "recv(fd: uring.Descriptor, memory: integer|uring.Buffer): string|integer!",
      "As `op.recv`." },
    { "write(fd: uring.Descriptor, ...: any): integer!", "As `op.write`." },
    { "send(fd: uring.Descriptor, ...: any): integer|false!", "As `op.send`, all of the " ..
      "string unless a signal comes; `false`, and nothing is done, when it is not one " ..
      "string alone, or an empty one." },
    { "reading(fd: uring.Fd): boolean", "Whether a task is reading." },
  } },

  { title = "Ring: submitting and waiting", of = "ring",
    fields = {
      { "features", "integer", "`IORING_FEAT_` flags of the kernel" },
      { "flags", "integer", "`IORING_SETUP_` flags that the ring has" },
      { "sq_entries", "integer", "size of the submission queue" },
      { "cq_entries", "integer", "size of the completion queue" },
    }, {
    { "get_sqe(): uring.Sqe?",
      "A new entry of the submission queue; nil when it is full.",
      c = "io_uring_get_sqe io_uring_get_sqe128 _io_uring_get_sqe io_uring_initialize_sqe" },
    { "submit(): integer!", "Gives the entries to the kernel: how many.", c = "io_uring_submit " ..
      "io_uring_submit_and_get_events" },
    { "submit_and_wait(n?: integer): integer!",
      "The same, and waits for `n` completions, or one.", c = "io_uring_submit_and_wait" },
    { "submit_and_wait_timeout(n: integer, seconds?: number): integer!",
      "The same, not longer than so many seconds.", c = "io_uring_submit_and_wait_timeout" },
    { "wait_cqe(seconds?: number): uring.Cqe!",
      "The next completion; `ETIME` when there is none in time.",
      c = "io_uring_wait_cqe io_uring_wait_cqe_timeout __io_uring_get_cqe" },
    { "wait_cqes(n: integer, seconds?: number): uring.Cqe[]!",
      "The next `n` completions.", c = "io_uring_wait_cqes io_uring_wait_cqe_nr" },
    { "peek_cqe(): uring.Cqe!",
      "The next completion; `EAGAIN` when there is none.",
      c = "io_uring_peek_cqe __io_uring_peek_cqe io_uring_get_events" },
    { "cqes(): fun(): any, integer, integer, any",
      "Everything that is ready, without an object for each: " ..
        "`for data, res, flags, value in ring:cqes() do`.",
      c = "io_uring_for_each_cqe io_uring_peek_batch_cqe io_uring_cqe_iter_init " ..
        "io_uring_cqe_iter_next io_uring_cqe_seen io_uring_cq_advance io_uring_skip_cqe " ..
        "io_uring_cqe_nr io_uring_cqe_shift io_uring_cqe_shift_from_flags" },
    { "enter(to_submit?: integer, min_complete?: integer, flags?: integer, " ..
      "wait?: number|integer[]|table): integer!",
      "io_uring_enter(2) itself; nil submits all there is. `wait` is seconds, a list of signals " ..
        "that are blocked meanwhile, or `{timeout =, sigmask =, min_wait_usec =}`. With " ..
        "`IORING_ENTER_EXT_ARG_REG` it is the index of a wait in the region. Completions are " ..
        "taken by `cqes`, `wait_cqe` and so on. As with every call on a ring the message of a " ..
        "failure says when it is the ring's own descriptor that somebody has closed, or another " ..
        "thread's ring.",
      c = "io_uring_enter io_uring_enter2 io_uring_sqring_wait __io_uring_sqring_wait " ..
        "io_uring_submit_and_wait_reg io_uring_submit_and_wait_min_timeout " ..
        "io_uring_wait_cqes_min_timeout", man = "io_uring_enter(2)" },
    { "cq_ready(): integer", "Completions to be taken.", c = "io_uring_cq_ready" },
    { "sq_ready(): integer", "Entries not submitted yet.", c = "io_uring_sq_ready" },
    { "sq_space_left(): integer", "Entries that there is room for.",
      c = "io_uring_sq_space_left io_uring_load_sq_head" },
    { "cq_has_overflow(): boolean", "Whether completions wait outside the queue, which is full.",
      c = "io_uring_cq_has_overflow" },
    { "supports(name: string): boolean", "Whether the running kernel has the operation.",
      c = "io_uring_opcode_supported io_uring_get_probe io_uring_get_probe_ring " ..
        "io_uring_free_probe" },
    { "stats(): table", "Counters since the ring was made: `submitted`, `completed`, `enters`, " ..
      "`stale`, `cancels`, `resumes`, `spawned`; and what there is: `active` operations, " ..
        "`slots`, " ..
      "`tasks`, `ready`, `timers`." },
    { "fileno(): integer", "The ring's own descriptor: readable when there are completions." },
    { "close(): true", "Cancels what is in flight and waits for its end; also `<close>`.",
      c = "io_uring_queue_exit" },
  } },

  { title = "Ring: the loop", of = "ring", doc = "So that it can live inside another loop.", {
    { "spawn(f: function, ...: any): uring.Task!", "Starts a task on this ring." },
    { "step(seconds?: number): true!",
      "One turn: submits, waits that long, resumes tasks. Not inside a task." },
    { "tasks(): uring.Task[]", "The tasks that have not ended." },
    { "receive(seconds?: number): integer!, integer, integer",
      "Waits for a message to this ring, of `msg_ring` or `register_sync_msg`, and returns its " ..
        "data, result and flags; `nil, \"timed out\", ETIMEDOUT` when none has come by then. " ..
        "Messages are given in order, to whoever has waited longest; `wait_cqe` and `cqes` take " ..
        "them, too, as completions. As long as a task waits for one there is no deadlock." },
    { "pollfd(): integer", "What to poll; the same as `fileno`." },
    { "events(): string", "`\"r\"`: what to poll it for." },
    { "timeout(): number?", "Seconds until a task is due; nil when only a completion can bring " ..
      "anything." },
  } },

  { title = "Ring: registered buffers", of = "ring",
    doc = "Places are counted from 0, as the kernel does. A tag is an integer of 56 bits that " ..
      "comes as a completion (`cqe.message`) when the kernel is done with what had it. A buffer " ..
      "keeps its size, and its memory, as long as it is registered.", {
    { "register_buffers(buffers: (uring.Buffer|false)[]): true!",
      "For `prep_read_fixed` and its like; false is a hole.",
      c = "io_uring_register_buffers", since = "5.1" },
    { "register_buffers_tags(buffers: (uring.Buffer|false)[], tags: integer[]): true!",
      "The same with a tag each; 0 is none.",
      c = "io_uring_register_buffers_tags", since = "5.13" },
    { "register_buffers_sparse(n: integer): true!", "A table of `n` holes.",
      c = "io_uring_register_buffers_sparse", since = "5.19" },
    { "register_buffers_update_tag(first: integer, buffers: (uring.Buffer|false)[], " ..
      "tags?: integer[]): integer!",
      "Replaces buffers from the place `first` on: how many.",
      c = "io_uring_register_buffers_update_tag", since = "5.13" },
    { "unregister_buffers(): true!", "Gives up the table.",
      c = "io_uring_unregister_buffers", since = "5.1" },
    { "clone_buffers(from: uring.Ring, first?: integer, from_first?: integer, n?: integer, " ..
      "flags?: integer): true!",
      "Another ring's buffers, or some of them, in this ring's table.",
      c = "io_uring_clone_buffers __io_uring_clone_buffers", since = "6.12" },
    { "clone_buffers_offset(from: uring.Ring, first?: integer, from_first?: integer, " ..
      "n?: integer, flags?: integer): true!",
      "The same; the name that liburing has for the form with places.",
      c = "io_uring_clone_buffers_offset __io_uring_clone_buffers_offset", since = "6.13" },
  } },

  { title = "Ring: registered descriptors", of = "ring",
    doc = "The table of direct descriptors. Slots are counted from 0. In a list, false or -1 is " ..
      "an empty slot.", {
    { "register_files(list: (uring.Descriptor|false)[]): true!",
      "Makes the table of these descriptors.", c = "io_uring_register_files", since = "5.1" },
    { "register_files_tags(list: (uring.Descriptor|false)[], tags: integer[]): true!",
      "The same with a tag each.", c = "io_uring_register_files_tags", since = "5.13" },
    { "register_files_sparse(n: integer): true!", "Makes a table of `n` empty slots.",
      c = "io_uring_register_files_sparse", since = "5.19" },
    { "register_files_update(first: integer, list: (uring.Descriptor|false)[]): integer!",
      "Replaces descriptors from the slot `first` on: how many. `IORING_REGISTER_FILES_SKIP` " ..
        "leaves a slot as it is.", c = "io_uring_register_files_update", since = "5.5" },
    { "register_files_update_tag(first: integer, list: (uring.Descriptor|false)[], " ..
      "tags?: integer[]): integer!",
      "The same with a tag each.", c = "io_uring_register_files_update_tag", since = "5.13" },
    { "unregister_files(): true!", "Closes what is in the table, and gives it up.",
      c = "io_uring_unregister_files", since = "5.1" },
    { "register_file_alloc_range(first: integer, n: integer): true!",
      "Which slots \"any free slot\" means.",
      c = "io_uring_register_file_alloc_range", since = "6.0" },
    { "direct(slot: integer): uring.Fd", "Adopts a slot of the table." },
  } },

  { title = "Ring: provided buffers", of = "ring",
    doc = "From a buffer ring the kernel takes a buffer when it has data for it.", {
    { "setup_buf_ring(entries: integer, group: integer, flags?: integer, size?: integer, " ..
      "outgoing?: boolean): uring.Bufring!",
      "A ring of so many buffers, a power of two up to 32768, of `size` bytes each (4096). All " ..
        "are the kernel's at once, to receive into; in an outgoing ring none is: `push` puts " ..
        "data into it, for `prep_send_bundle`. `flags`: `IOU_PBUF_RING_INC` (6.12). `EBUSY` " ..
        "while operations use a closed one of that number.",
      c = "io_uring_setup_buf_ring", since = "5.19" },
    { "register_buf_ring(entries: integer, group: integer, flags?: integer, size?: integer, " ..
      "outgoing?: boolean): uring.Bufring!", "The same.",
      c = "io_uring_register_buf_ring", since = "5.19" },
    { "unregister_buf_ring(group: integer): true!", "As `bufring:close`.",
      c = "io_uring_unregister_buf_ring", since = "5.19" },
    { "free_buf_ring(group: integer): true!", "The same.",
      c = "io_uring_free_buf_ring", since = "5.19" },
    { "buf_ring_head(group: integer): integer!", "Where the kernel takes the next buffer.",
      c = "io_uring_buf_ring_head", since = "6.8", man = "io_uring_register(2)" },
  } },

  { title = "Buffer rings", of = "bufring",
    doc = "Of `ring:setup_buf_ring`; `#bufring` is how many buffers it has. `cqe` is a " ..
      "completion " ..
      "that names a buffer; with a number, `n` bytes of it (all) from `at` on (0) are meant. A " ..
      "buffer is the script's when it has taken the completion, until it gives it back.", {
    { "string(cqe: uring.Cqe|integer, n?: integer, at?: integer): string",
      "What is in the buffers of a completion; they stay with us." },
    { "buffer(cqe: uring.Cqe|integer, n?: integer, at?: integer): uring.Buffer ...",
      "A buffer object for each part of it; the memory goes back when that is released." },
    { "recycle(cqe: uring.Cqe|integer, n?: integer, at?: integer): uring.Bufring",
      "The buffers of a completion are the kernel's again.",
      c = "io_uring_buf_ring_add io_uring_buf_ring_advance" },
    { "push(data: string, ...: string): uring.Bufring!",
      "Puts data into free buffers of an outgoing ring, for the kernel to send; `ENOBUFS` when " ..
        "there are not enough." },
    { "available(): integer", "How many buffers the kernel has.",
      c = "io_uring_buf_ring_available" },
    { "group(): integer", "Its number, for `sqe:set_buf_group`." },
    { "size(): integer", "Bytes of each buffer." },
    { "close(): true", "The kernel takes no more buffers of it; also `<close>`. Those that are " ..
      "borrowed stay what they are." },
  } },

  { title = "Multishot operations", of = "multishot",
    doc = "`op.accept_multishot` and its like return an iterator: `for conn in " ..
      "op.accept_multishot(fd) do`. Called, it gives the next result, and nil at the end; it " ..
        "goes " ..
      "on by itself when the kernel has ended it for want of room or of buffers.", {
    { "close(): true", "Stops it and waits until the kernel has let go; also `<close>`, and the " ..
      "end of a `for`. What was not taken is given up." },
    { "error(): nil!", "Why it has ended: nothing, if by itself." },
  } },

  { title = "Ring: notifications", of = "ring", {
    { "register_eventfd(fd: uring.Descriptor): true!", "An eventfd that counts completions.",
      c = "io_uring_register_eventfd", since = "5.2" },
    { "register_eventfd_async(fd: uring.Descriptor): true!",
      "The same for completions of worker threads alone.",
      c = "io_uring_register_eventfd_async", since = "5.6" },
    { "unregister_eventfd(): true!", "Tells it no more.",
      c = "io_uring_unregister_eventfd", since = "5.2" },
    { "cq_eventfd_toggle(on: boolean): true!", "Stops and starts telling it.",
      c = "io_uring_cq_eventfd_toggle", since = "5.8" },
    { "cq_eventfd_enabled(): boolean", "Whether it is told.", c = "io_uring_cq_eventfd_enabled" },
    { "register_sync_msg(res: integer, data?: integer, flags?: integer): true!",
      "A completion on this ring, without an operation.",
      c = "io_uring_register_sync_msg", since = "6.13" },
  } },

  { title = "Ring: rights and questions", of = "ring", {
    { "enable_rings(): true!", "Starts a ring made with `r_disabled`.",
      c = "io_uring_enable_rings", since = "5.10" },
    { "register_restrictions(list: table[]): true!",
      "What the ring may do, before it is enabled: `{sqe_op = \"read\"}`, " ..
        "`{sqe_flags_allowed = integer}`, `{sqe_flags_required = integer}`, " ..
        "`{register_op = integer}`. Without `\"cancel\"` it cannot be closed while it has " ..
        "operations in flight.",
      c = "io_uring_register_restrictions", since = "5.10" },
    { "register_personality(): integer!",
      "The rights of the process as they are now, for `sqe:set_personality`.",
      c = "io_uring_register_personality", since = "5.6" },
    { "unregister_personality(id: integer): true!", "Forgets them.",
      c = "io_uring_unregister_personality", since = "5.6" },
    { "register_probe(): table!",
      "What the kernel has: `last_op`, `ops` by number, `names` by name.",
      c = "io_uring_register_probe", since = "5.6" },
    { "register_query(): table!", "As `core.register_query`.",
      c = "io_uring_register_query", since = "6.18" },
    { "register_bpf_filter(filter: table): true!",
      "A classic BPF program that decides on operations: `{opcode =, flags =, filter = string, " ..
        "pdu_size =}`.", c = "io_uring_register_bpf_filter", since = "7.0" },
  } },

  { title = "Ring: how it works and waits", of = "ring", {
    { "register_iowq_aff(processors: integer[]): true!",
      "Where worker threads run; processors are counted from 0.",
      c = "io_uring_register_iowq_aff", since = "5.14" },
    { "unregister_iowq_aff(): true!", "Anywhere again.",
      c = "io_uring_unregister_iowq_aff", since = "5.14" },
    { "register_iowq_max_workers(bounded?: integer, unbounded?: integer): integer, integer!",
      "How many there may be, for files and for all else: the numbers before. 0 or nil leaves " ..
        "one as it is.", c = "io_uring_register_iowq_max_workers", since = "5.15" },
    { "register_ring_fd(): true!",
      "Spares the kernel a look at the table of descriptors at each enter. A thread has 16 " ..
        "places for that.", c = "io_uring_register_ring_fd", since = "5.18" },
    { "unregister_ring_fd(): true!", "Takes that back.",
      c = "io_uring_unregister_ring_fd", since = "5.18" },
    { "close_ring_fd(): true!", "After `register_ring_fd`: closes the " ..
      "descriptor, which is not needed any more.",
      c = "io_uring_close_ring_fd", since = "6.3" },
    { "resize_rings(sq_entries: integer, cq_entries?: integer): true!",
      "Makes the queues larger or smaller, of a ring made with `defer_taskrun` and `no_sqarray`.",
      c = "io_uring_resize_rings", since = "6.13" },
    { "set_iowait(on: boolean): true!", "Whether waiting counts as I/O wait of the processor.",
      c = "io_uring_set_iowait", since = "6.15" },
    { "register_sync_cancel(what: table): integer!",
      "Cancels operations and waits for their end: `{target =, fd =, flags =, timeout = " ..
        "seconds, " ..
        "opcode =}`. `target` is an sqe, a task, or what `set_data` kept.",
      c = "io_uring_register_sync_cancel", since = "6.0" },
    { "register_napi(how: table): table!",
      "Busy polling of the network: `{busy_poll_to = microseconds, prefer_busy_poll = boolean, " ..
        "opcode =, op_param =}`; what it was before comes back.",
      c = "io_uring_register_napi", since = "6.9" },
    { "unregister_napi(): table!", "Ends that: what it was.",
      c = "io_uring_unregister_napi", since = "6.9" },
    { "register_clock(clock: integer): true!",
      "What time waits are measured in: `CLOCK_MONOTONIC` or `CLOCK_BOOTTIME`.",
      c = "io_uring_register_clock", since = "6.12" },
    { "register_region(buffer: uring.Buffer, flags?: integer): true!",
      "Memory for waits (`core.reg_wait`), whole pages of it, until the ring is closed; with " ..
        "`IORING_MEM_REGION_REG_WAIT_ARG` before the ring is enabled.",
      c = "io_uring_register_region", since = "6.13" },
    { "register_ifq(queue: table): table!",
      "A queue of a network card whose packets go to memory of ours: `{if_idx =, if_rxq =, " ..
        "rq_entries =, flags =, area = buffer, region = buffer}`; back come `zcrx_id`, " ..
        "`rq_area_token`, `head`, `tail`, `rqes`.",
      c = "io_uring_register_ifq", since = "6.15" },
    { "register_zcrx_ctrl(what: table): true!", "Controls such a queue: `{zcrx_id =, op =}`.",
      c = "io_uring_register_zcrx_ctrl", since = "6.19" },
  } },

  { title = "Submission entries", of = "sqe",
    doc = "`ring:get_sqe()` gives one; `prep_<name>` fills it, as described with each " ..
      "operation, " ..
      "and clears what was set before. It is the script's until it is submitted; after that all " ..
      "of these raise.", {
    { "set_data(value: any): uring.Sqe", "Any value, for `cqe.data`.",
      c = "io_uring_sqe_set_data" },
    { "set_data64(data: integer): uring.Sqe", "An integer, for `cqe.user_data`.",
      c = "io_uring_sqe_set_data64" },
    { "set_flags(flags: integer): uring.Sqe",
      "`IOSQE_ASYNC` and so on. With `IOSQE_CQE_SKIP_SUCCESS` the script sees a completion only " ..
        "when it fails; the kernel skips a success itself where the operation has neither " ..
        "memory, nor Fd objects, nor a link to the next (then `set_data64` identifies a " ..
        "failure, as `set_data` asks for a record), and the ring drops it elsewhere. What " ..
        "makes a descriptor of an unknown number raises.", c = "io_uring_sqe_set_flags" },
    { "set_personality(id: integer): uring.Sqe", "Whose rights it has.", since = "5.6" },
    { "set_ioprio(value: integer): uring.Sqe",
      "A priority (ioprio_set(2)); of sends, receives and accepts their own flags, as " ..
        "`IORING_RECVSEND_POLL_FIRST`. Not `IORING_SEND_VECTORIZED`, for sends: their data " ..
          "would " ..
        "be taken for addresses." },
    { "set_buf_group(group: integer): uring.Sqe",
      "The provided buffers to choose from, with `IOSQE_BUFFER_SELECT`.",
      c = "io_uring_sqe_set_buf_group" },
    { "set_target_fixed_file(slot?: integer): uring.Sqe",
      "The new descriptor goes to that slot of the ring's table, or any free one.",
      c = "__io_uring_set_target_fixed_file", man = "", since = "5.15" },
    { "prep_send_set_addr(address: uring.AddressLike): uring.Sqe",
      "Where a send that was prepared goes to.", c = "io_uring_prep_send_set_addr",
      since = "6.0" },
    { "await(): integer, integer, any",
      "Waits until it has completed: the kernel's result, negative for an error, flags, and " ..
        "what is `cqe.value` else. In a task others run meanwhile." },
  } },

  { title = "Completions", of = "cqe",
    doc = "A copy, off the kernel's queue already: there is nothing to be given back.",
    fields = {
      { "res", "integer", "the result; negative for an error" },
      { "flags", "integer", "`IORING_CQE_F_` flags" },
      { "data", "any", "what `sqe:set_data` was given, or a message's number" },
      { "user_data", "integer", "what `sqe:set_data64` was given" },
      { "value", "any", "what the kernel filled in: a statx table, a peer's address, a message" },
      { "more", "boolean", "the operation has further completions to come" },
      { "notif", "boolean", "a zero-copy send has let go of its memory" },
      { "message", "boolean", "sent by `prep_msg_ring`, or the tag of something registered" },
      { "buffer_id", "integer?", "the provided buffer that was chosen" },
    }, {} },

  { title = "Buffers", of = "buffer",
    doc = "Memory of C. Bytes are counted from 1, `#buffer` is the size.", {
    { "string(i?: integer, j?: integer): string", "Bytes `i` to `j`, as `string.sub`." },
    { "byte(i?: integer, j?: integer): integer ...", "The same as numbers, as `string.byte`." },
    { "set(bytes: string, i?: integer): uring.Buffer", "Puts a string at byte `i`, where it " ..
      "must " ..
      "fit." },
    { "fill(byte: integer, i?: integer, j?: integer): uring.Buffer", "Sets bytes `i` to `j`." },
    { "resize(size: integer): uring.Buffer", "Keeps the bytes, new ones are 0. Raises while an " ..
      "operation uses the buffer, or it is registered." },
    { "busy(): integer", "How many operations use it." },
    { "release()", "The object has no memory from now on; what it had is freed, or goes back to " ..
      "its buffer ring, when no operation uses it any more. Also `<close>`." },
  } },

  { title = "Descriptors", of = "fd",
    doc = "Know the operations on them; are closed by `<close>` and the collector, too.", {
    { "close(): true!", "Cancels the operations on it, waits for their end, and closes. Twice " ..
      "does no harm. No cancellation interrupts it: the next await raises that." },
    { "fileno(): integer", "The number. A direct descriptor has none." },
    { "slot(): integer?", "The slot of a direct one." },
    { "install(flags?: integer): uring.Fd!", "An ordinary descriptor of the same file, of a " ..
      "direct one; as `op.fixed_fd_install`.", since = "6.8" },
    { "detach(): integer", "The number or slot, which the caller owns from now on." },
    { "isopen(): boolean", "Whether it is open." },
    { "pending(): integer", "How many operations are prepared or in flight." },
  } },

  { title = "Nurseries", of = "nursery", doc = "`#nursery` is the number of its tasks that have " ..
      "not ended.", {
    { "spawn(f: function, ...: any): uring.Task!", "Starts a task in it, as `core.spawn`." },
    { "join()", "Waits until none of its tasks is left." },
    { "interrupt(value: any): uring.Nursery",
      "From now on every await of its tasks raises the value, also of those it will have; not " ..
        "of a task that has another owner now." },
    { "adopt(other: uring.Nursery): uring.Nursery",
      "The tasks of the other one are waited for here from now on. They keep their owner, so an " ..
        "interruption does not reach them." },
  } },

  { title = "Task objects", of = "task", {
    { "join(): any ...", "Waits for its end: its results; raises its error." },
    { "cancel(reason?: string): uring.Task", "Asks it to end: its awaits raise." },
    { "interrupt(value: any): uring.Task", "From now on every await of it raises the value; nil " ..
      "lets it wait again." },
    { "wake(...: any): boolean", "Ends its `core.park`, with these values: whether it was " ..
      "parked." },
    { "status(): string", "`\"ready\"`, `\"running\"`, `\"waiting\"`, `\"done\"`, `\"failed\"`, " ..
      "`\"lost\"`." },
    { "waiting(): string?, number?", "What it waits for, and for how many seconds already." },
    { "name(name?: string): string|uring.Task", "Asks or sets its name." },
    { "owner(owner?: any): any", "Asks or sets what organises it." },
    { "observed(): boolean", "Whether somebody waited when it ended." },
    { "traceback(): string?",
      "Where it waits, the innermost coroutine first, or where it failed." },
  } },

  { title = "Timers", of = "timer", {
    { "cancel(): boolean", "Whether it was still to come; also `<close>`." },
  } },

  { title = "core.sock", of = "core.sock", doc = "Calls of the system that no ring has, or not " ..
    "every kernel's.", {
    { "bind(fd: uring.Descriptor, address: uring.AddressLike): true!", "bind(2)." },
    { "listen(fd: uring.Descriptor, backlog?: integer): true!", "listen(2)." },
    { "getsockname(fd: uring.Descriptor): uring.Address!", "A socket's own address." },
    { "getpeername(fd: uring.Descriptor): uring.Address!", "The other side's." },
    { "getsockopt(fd: uring.Descriptor, level: integer|string|nil, name: integer|string, " ..
      "kind?: string|integer): any!",
      "An option by its name, as `\"nodelay\"`, or its number. `kind` is `\"int\"`, " ..
        "`\"timeval\"`, " ..
        "`\"linger\"`, `\"string\"`, or a number of bytes; nil for what suits the option." },
    { "setsockopt(fd: uring.Descriptor, level: integer|string|nil, name: integer|string, " ..
      "value: any): true!", "Sets an option." },
    { "socketpair(domain?: string|integer, type?: string|integer): uring.Fd, uring.Fd!",
      "Two connected sockets; `\"unix\"` and `\"stream\"` by default." },
    { "pipe(flags?: integer): uring.Fd, uring.Fd!", "The end to read and the end to write." },
    { "dup(fd: uring.Descriptor): uring.Fd!", "The same with a number of its own." },
    { "isatty(fd: uring.Descriptor): boolean!", "Whether it is a terminal." },
  } },

  { title = "core.sys", of = "core.sys", {
    { "fchmod(fd: uring.Descriptor, mode: integer): true!", "fchmod(2)." },
  } },

  { title = "core.coroutine", of = "core.coroutine", doc = "For `uring.coroutine`.", {
    { "resume(co: thread, ...: any): boolean, any ...", "As coroutine.resume; `co` may await." },
    { "wrap(f: function): function", "As coroutine.wrap; `f` may await." },
    { "close(co: thread): boolean, any", "As coroutine.close; not of one that waits." },
    { "yield(...: any): any ...", "As coroutine.yield; not of one that has changed the owner of " ..
      "its task, and not put it back." },
  } },
}
