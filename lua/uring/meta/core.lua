---@meta uring.core

-- Made by `make docs` from the table of operations: do not edit.  For editors;
-- no program requires this file.

---A number, an Fd, a file of io, or an object with getfd, fileno or pollfd.
---@alias uring.Descriptor integer|uring.Fd|file*|table

---What is written.
---@alias uring.Data string|uring.Buffer

---@alias uring.AddressLike string|uring.Address|table

---@class uring.Address
---@field family string "inet", "inet6", "unix" or a number of another one
---@field host? string
---@field port? integer
---@field path? string

---@class uring.Statx: table

---@class uring.RingOptions
---@field entries? integer places in the submission queue; 256
---@field cq_entries? integer places in the completion queue; 4 times as many
---@field attach_wq? uring.Ring shares the workers of another ring; with `sqpoll` its thread, which takes 8 entries of each at once: no longer chain
---@field sq_thread_idle? integer milliseconds without work after which the thread of `sqpoll` sleeps; 1000
---@field sq_thread_cpu? integer the processor, from 0, that the thread of `sqpoll` stays on
---@field iopoll? boolean completions are polled for: storage that can, opened with O_DIRECT
---@field sqpoll? boolean a thread of the kernel takes the entries
---@field clamp? boolean too large numbers become the largest possible
---@field r_disabled? boolean does nothing before enable_rings
---@field submit_all? boolean a bad entry does not stop those behind it
---@field coop_taskrun? boolean completions do not interrupt the process
---@field taskrun_flag? boolean the ring says when it must be entered for completions
---@field sqe128? boolean entries have 128 bytes
---@field cqe32? boolean completions have 32 bytes
---@field single_issuer? boolean only one thread submits
---@field defer_taskrun? boolean completions are worked on when they are waited for
---@field no_mmap? boolean the memory of the queues is ours
---@field registered_fd_only? boolean the ring has no descriptor, only a registered number
---@field no_sqarray? boolean no array of indices between entries and queue
---@field hybrid_iopoll? boolean sleeps before it polls
---@field cqe_mixed? boolean completions of 16 and of 32 bytes
---@field sqe_mixed? boolean entries of 64 and of 128 bytes; refused
---@field sq_rewind? boolean the queue of entries begins anew each time; refused

---@class uring.core
---@field errno table<string, integer> error numbers by name
---@field ops table[] the rows of operations: name, opcode, args, result
---@field op uring.op
---@field AF_ALG integer
---@field AF_INET integer
---@field AF_INET6 integer
---@field AF_LOCAL integer
---@field AF_NETLINK integer
---@field AF_PACKET integer
---@field AF_UNIX integer
---@field AF_UNSPEC integer
---@field AF_VSOCK integer
---@field AF_XDP integer
---@field AT_EACCESS integer
---@field AT_EMPTY_PATH integer
---@field AT_FDCWD integer
---@field AT_NO_AUTOMOUNT integer
---@field AT_RECURSIVE integer
---@field AT_REMOVEDIR integer
---@field AT_STATX_DONT_SYNC integer
---@field AT_STATX_FORCE_SYNC integer
---@field AT_STATX_SYNC_AS_STAT integer
---@field AT_STATX_SYNC_TYPE integer
---@field AT_SYMLINK_FOLLOW integer
---@field AT_SYMLINK_NOFOLLOW integer
---@field CLD_CONTINUED integer
---@field CLD_DUMPED integer
---@field CLD_EXITED integer
---@field CLD_KILLED integer
---@field CLD_STOPPED integer
---@field CLD_TRAPPED integer
---@field CLOCK_BOOTTIME integer
---@field CLOCK_BOOTTIME_ALARM integer
---@field CLOCK_MONOTONIC integer
---@field CLOCK_MONOTONIC_COARSE integer
---@field CLOCK_MONOTONIC_RAW integer
---@field CLOCK_PROCESS_CPUTIME_ID integer
---@field CLOCK_REALTIME integer
---@field CLOCK_REALTIME_ALARM integer
---@field CLOCK_REALTIME_COARSE integer
---@field CLOCK_TAI integer
---@field CLOCK_THREAD_CPUTIME_ID integer
---@field EPOLLERR integer
---@field EPOLLET integer
---@field EPOLLEXCLUSIVE integer
---@field EPOLLHUP integer
---@field EPOLLIN integer
---@field EPOLLMSG integer
---@field EPOLLONESHOT integer
---@field EPOLLOUT integer
---@field EPOLLPRI integer
---@field EPOLLRDBAND integer
---@field EPOLLRDHUP integer
---@field EPOLLRDNORM integer
---@field EPOLLWAKEUP integer
---@field EPOLLWRBAND integer
---@field EPOLLWRNORM integer
---@field EPOLL_CLOEXEC integer
---@field EPOLL_CTL_ADD integer
---@field EPOLL_CTL_DEL integer
---@field EPOLL_CTL_MOD integer
---@field FALLOC_FL_COLLAPSE_RANGE integer
---@field FALLOC_FL_INSERT_RANGE integer
---@field FALLOC_FL_KEEP_SIZE integer
---@field FALLOC_FL_NO_HIDE_STALE integer
---@field FALLOC_FL_PUNCH_HOLE integer
---@field FALLOC_FL_UNSHARE_RANGE integer
---@field FALLOC_FL_WRITE_ZEROES integer
---@field FALLOC_FL_ZERO_RANGE integer
---@field FUTEX2_MPOL integer
---@field FUTEX2_NUMA integer
---@field FUTEX2_PRIVATE integer
---@field FUTEX2_SIZE_U16 integer
---@field FUTEX2_SIZE_U32 integer
---@field FUTEX2_SIZE_U64 integer
---@field FUTEX2_SIZE_U8 integer
---@field FUTEX_BITSET_MATCH_ANY integer
---@field FUTEX_WAITV_MAX integer
---@field IORING_ACCEPT_DONTWAIT integer
---@field IORING_ACCEPT_MULTISHOT integer
---@field IORING_ACCEPT_POLL_FIRST integer
---@field IORING_ASYNC_CANCEL_ALL integer
---@field IORING_ASYNC_CANCEL_ANY integer
---@field IORING_ASYNC_CANCEL_FD integer
---@field IORING_ASYNC_CANCEL_FD_FIXED integer
---@field IORING_ASYNC_CANCEL_OP integer
---@field IORING_ASYNC_CANCEL_USERDATA integer
---@field IORING_CQE_BUFFER_SHIFT integer
---@field IORING_CQE_F_32 integer
---@field IORING_CQE_F_BUFFER integer
---@field IORING_CQE_F_BUF_MORE integer
---@field IORING_CQE_F_MORE integer
---@field IORING_CQE_F_NOTIF integer
---@field IORING_CQE_F_SKIP integer
---@field IORING_CQE_F_SOCK_NONEMPTY integer
---@field IORING_CQE_F_TSTAMP_HW integer
---@field IORING_CQ_EVENTFD_DISABLED integer
---@field IORING_ENTER_ABS_TIMER integer
---@field IORING_ENTER_EXT_ARG integer
---@field IORING_ENTER_EXT_ARG_REG integer
---@field IORING_ENTER_GETEVENTS integer
---@field IORING_ENTER_NO_IOWAIT integer
---@field IORING_ENTER_REGISTERED_RING integer
---@field IORING_ENTER_SQ_WAIT integer
---@field IORING_ENTER_SQ_WAKEUP integer
---@field IORING_FEAT_CQE_SKIP integer
---@field IORING_FEAT_CUR_PERSONALITY integer
---@field IORING_FEAT_EXT_ARG integer
---@field IORING_FEAT_FAST_POLL integer
---@field IORING_FEAT_LINKED_FILE integer
---@field IORING_FEAT_MIN_TIMEOUT integer
---@field IORING_FEAT_NATIVE_WORKERS integer
---@field IORING_FEAT_NODROP integer
---@field IORING_FEAT_NO_IOWAIT integer
---@field IORING_FEAT_POLL_32BITS integer
---@field IORING_FEAT_RECVSEND_BUNDLE integer
---@field IORING_FEAT_REG_REG_RING integer
---@field IORING_FEAT_RSRC_TAGS integer
---@field IORING_FEAT_RW_ATTR integer
---@field IORING_FEAT_RW_CUR_POS integer
---@field IORING_FEAT_SINGLE_MMAP integer
---@field IORING_FEAT_SQPOLL_NONFIXED integer
---@field IORING_FEAT_SUBMIT_STABLE integer
---@field IORING_FILE_INDEX_ALLOC integer
---@field IORING_FIXED_FD_NO_CLOEXEC integer
---@field IORING_FSYNC_DATASYNC integer
---@field IORING_LINK_TIMEOUT_UPDATE integer
---@field IORING_MEM_REGION_REG_WAIT_ARG integer
---@field IORING_MEM_REGION_TYPE_USER integer
---@field IORING_MSG_DATA integer
---@field IORING_MSG_RING_CQE_SKIP integer
---@field IORING_MSG_RING_FLAGS_PASS integer
---@field IORING_MSG_SEND_FD integer
---@field IORING_NOP_CQE32 integer
---@field IORING_NOP_INJECT_RESULT integer
---@field IORING_NOTIF_USAGE_ZC_COPIED integer
---@field IORING_OFF_CQ_RING integer
---@field IORING_OFF_MMAP_MASK integer
---@field IORING_OFF_PBUF_RING integer
---@field IORING_OFF_PBUF_SHIFT integer
---@field IORING_OFF_SQES integer
---@field IORING_OFF_SQ_RING integer
---@field IORING_OP_ACCEPT integer
---@field IORING_OP_ASYNC_CANCEL integer
---@field IORING_OP_BIND integer
---@field IORING_OP_CLOSE integer
---@field IORING_OP_CONNECT integer
---@field IORING_OP_EPOLL_CTL integer
---@field IORING_OP_EPOLL_WAIT integer
---@field IORING_OP_FADVISE integer
---@field IORING_OP_FALLOCATE integer
---@field IORING_OP_FGETXATTR integer
---@field IORING_OP_FILES_UPDATE integer
---@field IORING_OP_FIXED_FD_INSTALL integer
---@field IORING_OP_FSETXATTR integer
---@field IORING_OP_FSYNC integer
---@field IORING_OP_FTRUNCATE integer
---@field IORING_OP_FUTEX_WAIT integer
---@field IORING_OP_FUTEX_WAITV integer
---@field IORING_OP_FUTEX_WAKE integer
---@field IORING_OP_GETXATTR integer
---@field IORING_OP_LAST integer
---@field IORING_OP_LINKAT integer
---@field IORING_OP_LINK_TIMEOUT integer
---@field IORING_OP_LISTEN integer
---@field IORING_OP_MADVISE integer
---@field IORING_OP_MKDIRAT integer
---@field IORING_OP_MSG_RING integer
---@field IORING_OP_NOP integer
---@field IORING_OP_NOP128 integer
---@field IORING_OP_OPENAT integer
---@field IORING_OP_OPENAT2 integer
---@field IORING_OP_PIPE integer
---@field IORING_OP_POLL_ADD integer
---@field IORING_OP_POLL_REMOVE integer
---@field IORING_OP_PROVIDE_BUFFERS integer
---@field IORING_OP_READ integer
---@field IORING_OP_READV integer
---@field IORING_OP_READV_FIXED integer
---@field IORING_OP_READ_FIXED integer
---@field IORING_OP_READ_MULTISHOT integer
---@field IORING_OP_RECV integer
---@field IORING_OP_RECVMSG integer
---@field IORING_OP_RECV_ZC integer
---@field IORING_OP_REMOVE_BUFFERS integer
---@field IORING_OP_RENAMEAT integer
---@field IORING_OP_SEND integer
---@field IORING_OP_SENDMSG integer
---@field IORING_OP_SENDMSG_ZC integer
---@field IORING_OP_SEND_ZC integer
---@field IORING_OP_SETXATTR integer
---@field IORING_OP_SHUTDOWN integer
---@field IORING_OP_SOCKET integer
---@field IORING_OP_SPLICE integer
---@field IORING_OP_STATX integer
---@field IORING_OP_SYMLINKAT integer
---@field IORING_OP_SYNC_FILE_RANGE integer
---@field IORING_OP_TEE integer
---@field IORING_OP_TIMEOUT integer
---@field IORING_OP_TIMEOUT_REMOVE integer
---@field IORING_OP_UNLINKAT integer
---@field IORING_OP_URING_CMD integer
---@field IORING_OP_URING_CMD128 integer
---@field IORING_OP_WAITID integer
---@field IORING_OP_WRITE integer
---@field IORING_OP_WRITEV integer
---@field IORING_OP_WRITEV_FIXED integer
---@field IORING_OP_WRITE_FIXED integer
---@field IORING_POLL_ADD_LEVEL integer
---@field IORING_POLL_ADD_MULTI integer
---@field IORING_POLL_UPDATE_EVENTS integer
---@field IORING_POLL_UPDATE_USER_DATA integer
---@field IORING_RECVSEND_BUNDLE integer
---@field IORING_RECVSEND_FIXED_BUF integer
---@field IORING_RECVSEND_POLL_FIRST integer
---@field IORING_RECV_MULTISHOT integer
---@field IORING_REGISTER_BPF_FILTER integer
---@field IORING_REGISTER_BUFFERS integer
---@field IORING_REGISTER_BUFFERS2 integer
---@field IORING_REGISTER_BUFFERS_UPDATE integer
---@field IORING_REGISTER_CLOCK integer
---@field IORING_REGISTER_CLONE_BUFFERS integer
---@field IORING_REGISTER_DST_REPLACE integer
---@field IORING_REGISTER_ENABLE_RINGS integer
---@field IORING_REGISTER_EVENTFD integer
---@field IORING_REGISTER_EVENTFD_ASYNC integer
---@field IORING_REGISTER_FILES integer
---@field IORING_REGISTER_FILES2 integer
---@field IORING_REGISTER_FILES_SKIP integer
---@field IORING_REGISTER_FILES_UPDATE integer
---@field IORING_REGISTER_FILES_UPDATE2 integer
---@field IORING_REGISTER_FILE_ALLOC_RANGE integer
---@field IORING_REGISTER_IOWQ_AFF integer
---@field IORING_REGISTER_IOWQ_MAX_WORKERS integer
---@field IORING_REGISTER_LAST integer
---@field IORING_REGISTER_MEM_REGION integer
---@field IORING_REGISTER_NAPI integer
---@field IORING_REGISTER_PBUF_RING integer
---@field IORING_REGISTER_PBUF_STATUS integer
---@field IORING_REGISTER_PERSONALITY integer
---@field IORING_REGISTER_PROBE integer
---@field IORING_REGISTER_QUERY integer
---@field IORING_REGISTER_RESIZE_RINGS integer
---@field IORING_REGISTER_RESTRICTIONS integer
---@field IORING_REGISTER_RING_FDS integer
---@field IORING_REGISTER_SEND_MSG_RING integer
---@field IORING_REGISTER_SRC_REGISTERED integer
---@field IORING_REGISTER_SYNC_CANCEL integer
---@field IORING_REGISTER_USE_REGISTERED_RING integer
---@field IORING_REGISTER_ZCRX_CTRL integer
---@field IORING_REGISTER_ZCRX_IFQ integer
---@field IORING_REG_WAIT_TS integer
---@field IORING_RESTRICTION_LAST integer
---@field IORING_RESTRICTION_REGISTER_OP integer
---@field IORING_RESTRICTION_SQE_FLAGS_ALLOWED integer
---@field IORING_RESTRICTION_SQE_FLAGS_REQUIRED integer
---@field IORING_RESTRICTION_SQE_OP integer
---@field IORING_RSRC_REGISTER_SPARSE integer
---@field IORING_RW_ATTR_FLAG_PI integer
---@field IORING_SEND_VECTORIZED integer
---@field IORING_SEND_ZC_REPORT_USAGE integer
---@field IORING_SETUP_ATTACH_WQ integer
---@field IORING_SETUP_CLAMP integer
---@field IORING_SETUP_COOP_TASKRUN integer
---@field IORING_SETUP_CQE32 integer
---@field IORING_SETUP_CQE_MIXED integer
---@field IORING_SETUP_CQSIZE integer
---@field IORING_SETUP_DEFER_TASKRUN integer
---@field IORING_SETUP_HYBRID_IOPOLL integer
---@field IORING_SETUP_IOPOLL integer
---@field IORING_SETUP_NO_MMAP integer
---@field IORING_SETUP_NO_SQARRAY integer
---@field IORING_SETUP_REGISTERED_FD_ONLY integer
---@field IORING_SETUP_R_DISABLED integer
---@field IORING_SETUP_SINGLE_ISSUER integer
---@field IORING_SETUP_SQE128 integer
---@field IORING_SETUP_SQE_MIXED integer
---@field IORING_SETUP_SQPOLL integer
---@field IORING_SETUP_SQ_AFF integer
---@field IORING_SETUP_SQ_REWIND integer
---@field IORING_SETUP_SUBMIT_ALL integer
---@field IORING_SETUP_TASKRUN_FLAG integer
---@field IORING_SQ_CQ_OVERFLOW integer
---@field IORING_SQ_NEED_WAKEUP integer
---@field IORING_SQ_TASKRUN integer
---@field IORING_TIMEOUT_ABS integer
---@field IORING_TIMEOUT_BOOTTIME integer
---@field IORING_TIMEOUT_CLOCK_MASK integer
---@field IORING_TIMEOUT_ETIME_SUCCESS integer
---@field IORING_TIMEOUT_IMMEDIATE_ARG integer
---@field IORING_TIMEOUT_MULTISHOT integer
---@field IORING_TIMEOUT_REALTIME integer
---@field IORING_TIMEOUT_UPDATE integer
---@field IORING_TIMEOUT_UPDATE_MASK integer
---@field IORING_TIMESTAMP_HW_SHIFT integer
---@field IORING_TIMESTAMP_TYPE_SHIFT integer
---@field IORING_UNREGISTER_BUFFERS integer
---@field IORING_UNREGISTER_EVENTFD integer
---@field IORING_UNREGISTER_FILES integer
---@field IORING_UNREGISTER_IOWQ_AFF integer
---@field IORING_UNREGISTER_NAPI integer
---@field IORING_UNREGISTER_PBUF_RING integer
---@field IORING_UNREGISTER_PERSONALITY integer
---@field IORING_UNREGISTER_RING_FDS integer
---@field IORING_URING_CMD_FIXED integer
---@field IORING_URING_CMD_MASK integer
---@field IORING_ZCRX_AREA_DMABUF integer
---@field IORING_ZCRX_AREA_MASK integer
---@field IORING_ZCRX_AREA_SHIFT integer
---@field IOSQE_ASYNC integer
---@field IOSQE_ASYNC_BIT integer
---@field IOSQE_BUFFER_SELECT integer
---@field IOSQE_BUFFER_SELECT_BIT integer
---@field IOSQE_CQE_SKIP_SUCCESS integer
---@field IOSQE_CQE_SKIP_SUCCESS_BIT integer
---@field IOSQE_FIXED_FILE integer
---@field IOSQE_FIXED_FILE_BIT integer
---@field IOSQE_IO_DRAIN integer
---@field IOSQE_IO_DRAIN_BIT integer
---@field IOSQE_IO_HARDLINK integer
---@field IOSQE_IO_HARDLINK_BIT integer
---@field IOSQE_IO_LINK integer
---@field IOSQE_IO_LINK_BIT integer
---@field IOU_PBUF_RING_INC integer
---@field IOU_PBUF_RING_MMAP integer
---@field IO_URING_BPF_CMD_FILTER integer
---@field IO_URING_BPF_FILTER_DENY_REST integer
---@field IO_URING_BPF_FILTER_SZ_STRICT integer
---@field IO_URING_OP_SUPPORTED integer
---@field IO_URING_QUERY_OPCODES integer
---@field IO_URING_QUERY_SCQ integer
---@field IO_URING_QUERY_ZCRX integer
---@field IO_WQ_BOUND integer
---@field IO_WQ_UNBOUND integer
---@field IPPROTO_ICMP integer
---@field IPPROTO_ICMPV6 integer
---@field IPPROTO_IP integer
---@field IPPROTO_IPV6 integer
---@field IPPROTO_MPTCP integer
---@field IPPROTO_RAW integer
---@field IPPROTO_SCTP integer
---@field IPPROTO_TCP integer
---@field IPPROTO_UDP integer
---@field IPPROTO_UDPLITE integer
---@field IPV6_ADD_MEMBERSHIP integer
---@field IPV6_DONTFRAG integer
---@field IPV6_DROP_MEMBERSHIP integer
---@field IPV6_FREEBIND integer
---@field IPV6_HOPLIMIT integer
---@field IPV6_JOIN_GROUP integer
---@field IPV6_LEAVE_GROUP integer
---@field IPV6_MTU integer
---@field IPV6_MTU_DISCOVER integer
---@field IPV6_MULTICAST_ALL integer
---@field IPV6_MULTICAST_HOPS integer
---@field IPV6_MULTICAST_IF integer
---@field IPV6_MULTICAST_LOOP integer
---@field IPV6_PKTINFO integer
---@field IPV6_RECVERR integer
---@field IPV6_RECVHOPLIMIT integer
---@field IPV6_RECVPKTINFO integer
---@field IPV6_RECVTCLASS integer
---@field IPV6_TCLASS integer
---@field IPV6_TRANSPARENT integer
---@field IPV6_UNICAST_HOPS integer
---@field IPV6_UNICAST_IF integer
---@field IPV6_V6ONLY integer
---@field IP_ADD_MEMBERSHIP integer
---@field IP_ADD_SOURCE_MEMBERSHIP integer
---@field IP_BIND_ADDRESS_NO_PORT integer
---@field IP_DROP_MEMBERSHIP integer
---@field IP_DROP_SOURCE_MEMBERSHIP integer
---@field IP_FREEBIND integer
---@field IP_HDRINCL integer
---@field IP_MINTTL integer
---@field IP_MTU integer
---@field IP_MTU_DISCOVER integer
---@field IP_MULTICAST_ALL integer
---@field IP_MULTICAST_IF integer
---@field IP_MULTICAST_LOOP integer
---@field IP_MULTICAST_TTL integer
---@field IP_OPTIONS integer
---@field IP_ORIGDSTADDR integer
---@field IP_PKTINFO integer
---@field IP_PMTUDISC_DO integer
---@field IP_PMTUDISC_DONT integer
---@field IP_PMTUDISC_PROBE integer
---@field IP_PMTUDISC_WANT integer
---@field IP_RECVERR integer
---@field IP_RECVORIGDSTADDR integer
---@field IP_RECVTOS integer
---@field IP_RECVTTL integer
---@field IP_TOS integer
---@field IP_TRANSPARENT integer
---@field IP_TTL integer
---@field IP_UNICAST_IF integer
---@field MADV_COLD integer
---@field MADV_COLLAPSE integer
---@field MADV_DODUMP integer
---@field MADV_DOFORK integer
---@field MADV_DONTDUMP integer
---@field MADV_DONTFORK integer
---@field MADV_DONTNEED integer
---@field MADV_DONTNEED_LOCKED integer
---@field MADV_FREE integer
---@field MADV_HUGEPAGE integer
---@field MADV_KEEPONFORK integer
---@field MADV_MERGEABLE integer
---@field MADV_NOHUGEPAGE integer
---@field MADV_NORMAL integer
---@field MADV_PAGEOUT integer
---@field MADV_POPULATE_READ integer
---@field MADV_POPULATE_WRITE integer
---@field MADV_RANDOM integer
---@field MADV_REMOVE integer
---@field MADV_SEQUENTIAL integer
---@field MADV_UNMERGEABLE integer
---@field MADV_WILLNEED integer
---@field MADV_WIPEONFORK integer
---@field MSG_CMSG_CLOEXEC integer
---@field MSG_CONFIRM integer
---@field MSG_CTRUNC integer
---@field MSG_DONTROUTE integer
---@field MSG_DONTWAIT integer
---@field MSG_EOR integer
---@field MSG_ERRQUEUE integer
---@field MSG_FASTOPEN integer
---@field MSG_MORE integer
---@field MSG_NOSIGNAL integer
---@field MSG_OOB integer
---@field MSG_PEEK integer
---@field MSG_TRUNC integer
---@field MSG_WAITALL integer
---@field MSG_WAITFORONE integer
---@field MSG_ZEROCOPY integer
---@field O_ACCMODE integer
---@field O_APPEND integer
---@field O_ASYNC integer
---@field O_CLOEXEC integer
---@field O_CREAT integer
---@field O_DIRECT integer
---@field O_DIRECTORY integer
---@field O_DSYNC integer
---@field O_EXCL integer
---@field O_LARGEFILE integer
---@field O_NOATIME integer
---@field O_NOCTTY integer
---@field O_NOFOLLOW integer
---@field O_NONBLOCK integer
---@field O_PATH integer
---@field O_RDONLY integer
---@field O_RDWR integer
---@field O_RSYNC integer
---@field O_SYNC integer
---@field O_TMPFILE integer
---@field O_TRUNC integer
---@field O_WRONLY integer
---@field POLLERR integer
---@field POLLHUP integer
---@field POLLIN integer
---@field POLLMSG integer
---@field POLLNVAL integer
---@field POLLOUT integer
---@field POLLPRI integer
---@field POLLRDBAND integer
---@field POLLRDHUP integer
---@field POLLRDNORM integer
---@field POLLWRBAND integer
---@field POLLWRNORM integer
---@field POSIX_FADV_DONTNEED integer
---@field POSIX_FADV_NOREUSE integer
---@field POSIX_FADV_NORMAL integer
---@field POSIX_FADV_RANDOM integer
---@field POSIX_FADV_SEQUENTIAL integer
---@field POSIX_FADV_WILLNEED integer
---@field P_ALL integer
---@field P_PGID integer
---@field P_PID integer
---@field P_PIDFD integer
---@field RENAME_EXCHANGE integer
---@field RENAME_NOREPLACE integer
---@field RENAME_WHITEOUT integer
---@field RESOLVE_BENEATH integer
---@field RESOLVE_CACHED integer
---@field RESOLVE_IN_ROOT integer
---@field RESOLVE_NO_MAGICLINKS integer
---@field RESOLVE_NO_SYMLINKS integer
---@field RESOLVE_NO_XDEV integer
---@field RWF_APPEND integer
---@field RWF_ATOMIC integer
---@field RWF_DONTCACHE integer
---@field RWF_DSYNC integer
---@field RWF_HIPRI integer
---@field RWF_NOAPPEND integer
---@field RWF_NOWAIT integer
---@field RWF_SYNC integer
---@field SCM_CREDENTIALS integer
---@field SCM_RIGHTS integer
---@field SCM_TIMESTAMP integer
---@field SCM_TIMESTAMPING integer
---@field SCM_TIMESTAMPNS integer
---@field SHUT_RD integer
---@field SHUT_RDWR integer
---@field SHUT_WR integer
---@field SIGABRT integer
---@field SIGALRM integer
---@field SIGBUS integer
---@field SIGCHLD integer
---@field SIGCONT integer
---@field SIGFPE integer
---@field SIGHUP integer
---@field SIGILL integer
---@field SIGINT integer
---@field SIGIO integer
---@field SIGKILL integer
---@field SIGPIPE integer
---@field SIGPOLL integer
---@field SIGPROF integer
---@field SIGPWR integer
---@field SIGQUIT integer
---@field SIGRTMAX integer
---@field SIGRTMIN integer
---@field SIGSEGV integer
---@field SIGSTKFLT integer
---@field SIGSTOP integer
---@field SIGSYS integer
---@field SIGTERM integer
---@field SIGTRAP integer
---@field SIGTSTP integer
---@field SIGTTIN integer
---@field SIGTTOU integer
---@field SIGURG integer
---@field SIGUSR1 integer
---@field SIGUSR2 integer
---@field SIGVTALRM integer
---@field SIGWINCH integer
---@field SIGXCPU integer
---@field SIGXFSZ integer
---@field SOCKET_URING_OP_GETSOCKNAME integer
---@field SOCKET_URING_OP_GETSOCKOPT integer
---@field SOCKET_URING_OP_SETSOCKOPT integer
---@field SOCKET_URING_OP_SIOCINQ integer
---@field SOCKET_URING_OP_SIOCOUTQ integer
---@field SOCKET_URING_OP_TX_TIMESTAMP integer
---@field SOCK_CLOEXEC integer
---@field SOCK_DGRAM integer
---@field SOCK_NONBLOCK integer
---@field SOCK_RAW integer
---@field SOCK_RDM integer
---@field SOCK_SEQPACKET integer
---@field SOCK_STREAM integer
---@field SOF_TIMESTAMPING_OPT_ID integer
---@field SOF_TIMESTAMPING_OPT_TSONLY integer
---@field SOF_TIMESTAMPING_SOFTWARE integer
---@field SOF_TIMESTAMPING_TX_SOFTWARE integer
---@field SOL_ALG integer
---@field SOL_ICMPV6 integer
---@field SOL_IP integer
---@field SOL_IPV6 integer
---@field SOL_NETLINK integer
---@field SOL_PACKET integer
---@field SOL_RAW integer
---@field SOL_SOCKET integer
---@field SOL_TCP integer
---@field SOL_TLS integer
---@field SOL_UDP integer
---@field SOL_XDP integer
---@field SOMAXCONN integer
---@field SO_ACCEPTCONN integer
---@field SO_ATTACH_BPF integer
---@field SO_ATTACH_FILTER integer
---@field SO_ATTACH_REUSEPORT_CBPF integer
---@field SO_ATTACH_REUSEPORT_EBPF integer
---@field SO_BINDTODEVICE integer
---@field SO_BINDTOIFINDEX integer
---@field SO_BROADCAST integer
---@field SO_BUF_LOCK integer
---@field SO_BUSY_POLL integer
---@field SO_BUSY_POLL_BUDGET integer
---@field SO_COOKIE integer
---@field SO_DEBUG integer
---@field SO_DETACH_BPF integer
---@field SO_DETACH_FILTER integer
---@field SO_DETACH_REUSEPORT_BPF integer
---@field SO_DOMAIN integer
---@field SO_DONTROUTE integer
---@field SO_ERROR integer
---@field SO_INCOMING_CPU integer
---@field SO_INCOMING_NAPI_ID integer
---@field SO_KEEPALIVE integer
---@field SO_LINGER integer
---@field SO_LOCK_FILTER integer
---@field SO_MARK integer
---@field SO_MAX_PACING_RATE integer
---@field SO_MEMINFO integer
---@field SO_NETNS_COOKIE integer
---@field SO_NO_CHECK integer
---@field SO_OOBINLINE integer
---@field SO_PASSCRED integer
---@field SO_PASSSEC integer
---@field SO_PEEK_OFF integer
---@field SO_PEERCRED integer
---@field SO_PEERGROUPS integer
---@field SO_PEERSEC integer
---@field SO_PREFER_BUSY_POLL integer
---@field SO_PRIORITY integer
---@field SO_PROTOCOL integer
---@field SO_RCVBUF integer
---@field SO_RCVBUFFORCE integer
---@field SO_RCVLOWAT integer
---@field SO_RCVMARK integer
---@field SO_RCVTIMEO integer
---@field SO_RESERVE_MEM integer
---@field SO_REUSEADDR integer
---@field SO_REUSEPORT integer
---@field SO_RXQ_OVFL integer
---@field SO_SELECT_ERR_QUEUE integer
---@field SO_SNDBUF integer
---@field SO_SNDBUFFORCE integer
---@field SO_SNDLOWAT integer
---@field SO_SNDTIMEO integer
---@field SO_TIMESTAMP integer
---@field SO_TIMESTAMPING integer
---@field SO_TIMESTAMPNS integer
---@field SO_TXREHASH integer
---@field SO_TXTIME integer
---@field SO_TYPE integer
---@field SO_ZEROCOPY integer
---@field SPLICE_F_FD_IN_FIXED integer
---@field SPLICE_F_GIFT integer
---@field SPLICE_F_MORE integer
---@field SPLICE_F_MOVE integer
---@field SPLICE_F_NONBLOCK integer
---@field STATX_ALL integer
---@field STATX_ATIME integer
---@field STATX_ATTR_APPEND integer
---@field STATX_ATTR_AUTOMOUNT integer
---@field STATX_ATTR_COMPRESSED integer
---@field STATX_ATTR_DAX integer
---@field STATX_ATTR_ENCRYPTED integer
---@field STATX_ATTR_IMMUTABLE integer
---@field STATX_ATTR_MOUNT_ROOT integer
---@field STATX_ATTR_NODUMP integer
---@field STATX_ATTR_VERITY integer
---@field STATX_ATTR_WRITE_ATOMIC integer
---@field STATX_BASIC_STATS integer
---@field STATX_BLOCKS integer
---@field STATX_BTIME integer
---@field STATX_CTIME integer
---@field STATX_DIOALIGN integer
---@field STATX_DIO_READ_ALIGN integer
---@field STATX_GID integer
---@field STATX_INO integer
---@field STATX_MNT_ID integer
---@field STATX_MNT_ID_UNIQUE integer
---@field STATX_MODE integer
---@field STATX_MTIME integer
---@field STATX_NLINK integer
---@field STATX_SIZE integer
---@field STATX_SUBVOL integer
---@field STATX_TYPE integer
---@field STATX_UID integer
---@field STATX_WRITE_ATOMIC integer
---@field SYNC_FILE_RANGE_WAIT_AFTER integer
---@field SYNC_FILE_RANGE_WAIT_BEFORE integer
---@field SYNC_FILE_RANGE_WRITE integer
---@field SYNC_FILE_RANGE_WRITE_AND_WAIT integer
---@field S_IFBLK integer
---@field S_IFCHR integer
---@field S_IFDIR integer
---@field S_IFIFO integer
---@field S_IFLNK integer
---@field S_IFMT integer
---@field S_IFREG integer
---@field S_IFSOCK integer
---@field S_IRGRP integer
---@field S_IROTH integer
---@field S_IRUSR integer
---@field S_IRWXG integer
---@field S_IRWXO integer
---@field S_IRWXU integer
---@field S_ISGID integer
---@field S_ISUID integer
---@field S_ISVTX integer
---@field S_IWGRP integer
---@field S_IWOTH integer
---@field S_IWUSR integer
---@field S_IXGRP integer
---@field S_IXOTH integer
---@field S_IXUSR integer
---@field TCP_CC_INFO integer
---@field TCP_CONGESTION integer
---@field TCP_CORK integer
---@field TCP_DEFER_ACCEPT integer
---@field TCP_FASTOPEN integer
---@field TCP_FASTOPEN_CONNECT integer
---@field TCP_FASTOPEN_KEY integer
---@field TCP_FASTOPEN_NO_COOKIE integer
---@field TCP_INFO integer
---@field TCP_INQ integer
---@field TCP_KEEPCNT integer
---@field TCP_KEEPIDLE integer
---@field TCP_KEEPINTVL integer
---@field TCP_LINGER2 integer
---@field TCP_MAXSEG integer
---@field TCP_NODELAY integer
---@field TCP_NOTSENT_LOWAT integer
---@field TCP_QUICKACK integer
---@field TCP_SAVED_SYN integer
---@field TCP_SAVE_SYN integer
---@field TCP_SYNCNT integer
---@field TCP_TIMESTAMP integer
---@field TCP_TX_DELAY integer
---@field TCP_ULP integer
---@field TCP_USER_TIMEOUT integer
---@field TCP_WINDOW_CLAMP integer
---@field TCP_ZEROCOPY_RECEIVE integer
---@field UDP_CORK integer
---@field UDP_GRO integer
---@field UDP_SEGMENT integer
---@field WCONTINUED integer
---@field WEXITED integer
---@field WNOHANG integer
---@field WNOWAIT integer
---@field WSTOPPED integer
---@field WUNTRACED integer
---@field XATTR_CREATE integer
---@field XATTR_REPLACE integer
---@field ZCRX_CTRL_EXPORT integer
---@field ZCRX_CTRL_FLUSH_RQ integer
---@field ZCRX_FEATURE_RX_PAGE_SIZE integer
---@field ZCRX_REG_IMPORT integer
---@field ZCRX_REG_NODEV integer
local core = {}

---Makes a ring. The options are below.
---@param options? uring.RingOptions
---@return uring.Ring?
---@return string? message
---@return integer? errno
function core.ring(options) end

---The ring of operations that run outside any task; made when it is first needed. With options it is made now, and raises when there is one already.
---@param options? uring.RingOptions
---@return uring.Ring?
---@return string? message
---@return integer? errno
function core.default(options) end

---Memory for the kernel to fill or to read: so many bytes of zeros, or those of a string. `align` is a power of 2, in bytes: `O_DIRECT` wants 4096.
---@param size integer|string
---@param align? integer
---@return uring.Buffer
function core.buffer(size, align) end

---Adopts an open descriptor: the object closes it.
---@param number integer
---@return uring.Fd
function core.fd(number) end

---The same address as a table with all its fields, in the usual spelling.
---@param what string|table
---@return uring.Address
function core.address(what) end

---The fields of a struct statx at the beginning of the buffer.
---@param buffer uring.Buffer
---@return table
function core.statx(buffer) end

---The reason and the name of an error: `"No such file or directory", "ENOENT"`.
---@param errno integer
---@return string
---@return string
function core.strerror(errno) end

---Where the Lua half is: reports do not name its lines.
---@param path string
function core.folder(path) end

---A wait, `{timeout = seconds, min_wait_usec = integer}`, as the 64 bytes of it that belong into the buffer given to `ring:register_region`.
---@param wait table
---@return string
function core.reg_wait(wait) end

---What the running kernel has: `request_opcodes`, `register_opcodes`, `features`, `setup_flags`, `enter_flags`, `sqe_flags`. Needs no ring.
---@return table?
---@return string? message
---@return integer? errno
function core.register_query() end

---A completion on the ring of that descriptor, from any thread, without a ring of one's own.
---@param fd uring.Descriptor
---@param res integer
---@param data? integer
---@param flags? integer
---@return true?
---@return string? message
---@return integer? errno
function core.register_sync_msg(fd, res, data, flags) end

---As `ring:register_bpf_filter`, for all rings that this thread will make. Cannot be undone.
---@param filter table
---@return true?
---@return string? message
---@return integer? errno
function core.register_bpf_filter_task(filter) end

---Starts a task on the ring of the running one, or the default ring.
---@param f function
---@param ... any
---@return uring.Task?
---@return string? message
---@return integer? errno
function core.spawn(f, ...) end

---A place for tasks that somebody answers for together; `owner` is theirs.
---@param owner any
---@return uring.Nursery
function core.nursery(owner) end

---The running task.
---@return uring.Task?
function core.current() end

---The owner of the running task, and the task.
---@return any
---@return uring.Task?
function core.owner() end

---Waits.
---@param seconds number
---@return true?
---@return string? message
---@return integer? errno
function core.sleep(seconds) end

---Raises what an await would raise here: for what may go on without one.
function core.check() end

---Lets every task run that is ready.
---@return true
function core.yield() end

---Seconds of the monotonic clock.
---@return number
function core.now() end

---Calls `f` when the time is over.
---@param seconds number
---@param f function
---@return uring.Timer?
---@return string? message
---@return integer? errno
function core.timer(seconds, f) end

---Waits until somebody calls `task:wake`, and returns what that was given; `nil, "timed out", ETIMEDOUT` when nobody did in time. `what` is for `uring.dump`.
---@param seconds? number
---@param what? string
---@return any
---@return string? message
---@return integer? errno
function core.park(seconds, what) end

---The running task, or what stands for the main chunk: what to wake after `park`.
---@return uring.Task
function core.waiter() end

---Calls `f(task, owner, failed, error)` whenever a task has ended; not for one of a nursery that still has its owner, if it succeeded or somebody was waiting for it.
---@param f? function
function core.on_end(f) end

---Calls `f(task, reason)` for `task:cancel`.
---@param f? function
function core.on_cancel(f) end

---Calls `f(task, error)` with a task that has failed, before a `join` raises its error.
---@param f? function
function core.on_raise(f) end

---Calls `f(task, error, traceback)` with an error that is going to end the task, where it is raised; what `f` returns goes on instead. A cancellation that comes after that has no traceback.
---@param f? function
function core.on_throw(f) end

---Calls `f` with each operation that is submitted or has ended.
---@param f? function
function core.on_trace(f) end

---Calls `f` with what debug mode has to say.
---@param f? function
function core.on_report(f) end

---Debug mode: whether it was on.
---@param on? boolean
---@return boolean
function core.debug(on) end

---What debug mode saw opened and not closed: `{fd =, where =}`.
---@return table[]
function core.opened() end

---Collects all garbage before every resume; for tests.
---@param on boolean
function core.torture(on) end

core.stream = {}

---As `op.read`.
---@param fd uring.Descriptor
---@param ... any
---@return string|integer?
---@return string? message
---@return integer? errno
function core.stream.read(fd, ...) end

---As `op.recv`.
---@param fd uring.Descriptor
---@param memory integer|uring.Buffer
---@return string|integer?
---@return string? message
---@return integer? errno
function core.stream.recv(fd, memory) end

---As `op.write`.
---@param fd uring.Descriptor
---@param ... any
---@return integer?
---@return string? message
---@return integer? errno
function core.stream.write(fd, ...) end

---As `op.send`, all of the string unless a signal comes; `false`, and nothing is done, when it is not one string alone, or an empty one.
---@param fd uring.Descriptor
---@param ... any
---@return integer|false?
---@return string? message
---@return integer? errno
function core.stream.send(fd, ...) end

---Whether a task is reading.
---@param fd uring.Fd
---@return boolean
function core.stream.reading(fd) end

---@class uring.Ring
---@field features integer `IORING_FEAT_` flags of the kernel
---@field flags integer `IORING_SETUP_` flags that the ring has
---@field sq_entries integer size of the submission queue
---@field cq_entries integer size of the completion queue
local ring = {}

---A new entry of the submission queue; nil when it is full.
---@return uring.Sqe?
function ring:get_sqe() end

---Gives the entries to the kernel: how many.
---@return integer?
---@return string? message
---@return integer? errno
function ring:submit() end

---The same, and waits for `n` completions, or one.
---@param n? integer
---@return integer?
---@return string? message
---@return integer? errno
function ring:submit_and_wait(n) end

---The same, not longer than so many seconds.
---@param n integer
---@param seconds? number
---@return integer?
---@return string? message
---@return integer? errno
function ring:submit_and_wait_timeout(n, seconds) end

---The next completion; `ETIME` when there is none in time.
---@param seconds? number
---@return uring.Cqe?
---@return string? message
---@return integer? errno
function ring:wait_cqe(seconds) end

---The next `n` completions.
---@param n integer
---@param seconds? number
---@return uring.Cqe[]?
---@return string? message
---@return integer? errno
function ring:wait_cqes(n, seconds) end

---The next completion; `EAGAIN` when there is none.
---@return uring.Cqe?
---@return string? message
---@return integer? errno
function ring:peek_cqe() end

---Everything that is ready, without an object for each: `for data, res, flags, value in ring:cqes() do`.
---@return fun(): any
---@return integer
---@return integer
---@return any
function ring:cqes() end

---io_uring_enter(2) itself; nil submits all there is. `wait` is seconds, a list of signals that are blocked meanwhile, or `{timeout =, sigmask =, min_wait_usec =}`. With `IORING_ENTER_EXT_ARG_REG` it is the index of a wait in the region. Completions are taken by `cqes`, `wait_cqe` and so on. As with every call on a ring the message of a failure says when it is the ring's own descriptor that somebody has closed, or another thread's ring.
---@param to_submit? integer
---@param min_complete? integer
---@param flags? integer
---@param wait? number|integer[]|table
---@return integer?
---@return string? message
---@return integer? errno
function ring:enter(to_submit, min_complete, flags, wait) end

---Completions to be taken.
---@return integer
function ring:cq_ready() end

---Entries not submitted yet.
---@return integer
function ring:sq_ready() end

---Entries that there is room for.
---@return integer
function ring:sq_space_left() end

---Whether completions wait outside the queue, which is full.
---@return boolean
function ring:cq_has_overflow() end

---Whether the running kernel has the operation.
---@param name string
---@return boolean
function ring:supports(name) end

---Counters since the ring was made: `submitted`, `completed`, `enters`, `stale`, `cancels`, `resumes`, `spawned`; and what there is: `active` operations, `slots`, `tasks`, `ready`, `timers`.
---@return table
function ring:stats() end

---The ring's own descriptor: readable when there are completions.
---@return integer
function ring:fileno() end

---Cancels what is in flight and waits for its end; also `<close>`.
---@return true
function ring:close() end

---Starts a task on this ring.
---@param f function
---@param ... any
---@return uring.Task?
---@return string? message
---@return integer? errno
function ring:spawn(f, ...) end

---One turn: submits, waits that long, resumes tasks. Not inside a task.
---@param seconds? number
---@return true?
---@return string? message
---@return integer? errno
function ring:step(seconds) end

---The tasks that have not ended.
---@return uring.Task[]
function ring:tasks() end

---Waits for a message to this ring, of `msg_ring` or `register_sync_msg`, and returns its data, result and flags; `nil, "timed out", ETIMEDOUT` when none has come by then. Messages are given in order, to whoever has waited longest; `wait_cqe` and `cqes` take them, too, as completions. As long as a task waits for one there is no deadlock.
---@param seconds? number
---@return integer!
---@return integer
---@return integer
function ring:receive(seconds) end

---What to poll; the same as `fileno`.
---@return integer
function ring:pollfd() end

---`"r"`: what to poll it for.
---@return string
function ring:events() end

---Seconds until a task is due; nil when only a completion can bring anything.
---@return number?
function ring:timeout() end

---For `prep_read_fixed` and its like; false is a hole.
---@param buffers (uring.Buffer|false)[]
---@return true?
---@return string? message
---@return integer? errno
function ring:register_buffers(buffers) end

---The same with a tag each; 0 is none.
---@param buffers (uring.Buffer|false)[]
---@param tags integer[]
---@return true?
---@return string? message
---@return integer? errno
function ring:register_buffers_tags(buffers, tags) end

---A table of `n` holes.
---@param n integer
---@return true?
---@return string? message
---@return integer? errno
function ring:register_buffers_sparse(n) end

---Replaces buffers from the place `first` on: how many.
---@param first integer
---@param buffers (uring.Buffer|false)[]
---@param tags? integer[]
---@return integer?
---@return string? message
---@return integer? errno
function ring:register_buffers_update_tag(first, buffers, tags) end

---Gives up the table.
---@return true?
---@return string? message
---@return integer? errno
function ring:unregister_buffers() end

---Another ring's buffers, or some of them, in this ring's table.
---@param from uring.Ring
---@param first? integer
---@param from_first? integer
---@param n? integer
---@param flags? integer
---@return true?
---@return string? message
---@return integer? errno
function ring:clone_buffers(from, first, from_first, n, flags) end

---The same; the name that liburing has for the form with places.
---@param from uring.Ring
---@param first? integer
---@param from_first? integer
---@param n? integer
---@param flags? integer
---@return true?
---@return string? message
---@return integer? errno
function ring:clone_buffers_offset(from, first, from_first, n, flags) end

---Makes the table of these descriptors.
---@param list (uring.Descriptor|false)[]
---@return true?
---@return string? message
---@return integer? errno
function ring:register_files(list) end

---The same with a tag each.
---@param list (uring.Descriptor|false)[]
---@param tags integer[]
---@return true?
---@return string? message
---@return integer? errno
function ring:register_files_tags(list, tags) end

---Makes a table of `n` empty slots.
---@param n integer
---@return true?
---@return string? message
---@return integer? errno
function ring:register_files_sparse(n) end

---Replaces descriptors from the slot `first` on: how many. `IORING_REGISTER_FILES_SKIP` leaves a slot as it is.
---@param first integer
---@param list (uring.Descriptor|false)[]
---@return integer?
---@return string? message
---@return integer? errno
function ring:register_files_update(first, list) end

---The same with a tag each.
---@param first integer
---@param list (uring.Descriptor|false)[]
---@param tags? integer[]
---@return integer?
---@return string? message
---@return integer? errno
function ring:register_files_update_tag(first, list, tags) end

---Closes what is in the table, and gives it up.
---@return true?
---@return string? message
---@return integer? errno
function ring:unregister_files() end

---Which slots "any free slot" means.
---@param first integer
---@param n integer
---@return true?
---@return string? message
---@return integer? errno
function ring:register_file_alloc_range(first, n) end

---Adopts a slot of the table.
---@param slot integer
---@return uring.Fd
function ring:direct(slot) end

---A ring of so many buffers, a power of two up to 32768, of `size` bytes each (4096). All are the kernel's at once, to receive into; in an outgoing ring none is: `push` puts data into it, for `prep_send_bundle`. `flags`: `IOU_PBUF_RING_INC` (6.12). `EBUSY` while operations use a closed one of that number.
---@param entries integer
---@param group integer
---@param flags? integer
---@param size? integer
---@param outgoing? boolean
---@return uring.Bufring?
---@return string? message
---@return integer? errno
function ring:setup_buf_ring(entries, group, flags, size, outgoing) end

---The same.
---@param entries integer
---@param group integer
---@param flags? integer
---@param size? integer
---@param outgoing? boolean
---@return uring.Bufring?
---@return string? message
---@return integer? errno
function ring:register_buf_ring(entries, group, flags, size, outgoing) end

---As `bufring:close`.
---@param group integer
---@return true?
---@return string? message
---@return integer? errno
function ring:unregister_buf_ring(group) end

---The same.
---@param group integer
---@return true?
---@return string? message
---@return integer? errno
function ring:free_buf_ring(group) end

---Where the kernel takes the next buffer.
---@param group integer
---@return integer?
---@return string? message
---@return integer? errno
function ring:buf_ring_head(group) end

---@class uring.Bufring
local bufring = {}

---What is in the buffers of a completion; they stay with us.
---@param cqe uring.Cqe|integer
---@param n? integer
---@param at? integer
---@return string
function bufring:string(cqe, n, at) end

---A buffer object for each part of it; the memory goes back when that is released.
---@param cqe uring.Cqe|integer
---@param n? integer
---@param at? integer
---@return uring.Buffer ...
function bufring:buffer(cqe, n, at) end

---The buffers of a completion are the kernel's again.
---@param cqe uring.Cqe|integer
---@param n? integer
---@param at? integer
---@return uring.Bufring
function bufring:recycle(cqe, n, at) end

---Puts data into free buffers of an outgoing ring, for the kernel to send; `ENOBUFS` when there are not enough.
---@param data string
---@param ... string
---@return uring.Bufring?
---@return string? message
---@return integer? errno
function bufring:push(data, ...) end

---How many buffers the kernel has.
---@return integer
function bufring:available() end

---Its number, for `sqe:set_buf_group`.
---@return integer
function bufring:group() end

---Bytes of each buffer.
---@return integer
function bufring:size() end

---The kernel takes no more buffers of it; also `<close>`. Those that are borrowed stay what they are.
---@return true
function bufring:close() end

---@class uring.Multishot
---@overload fun(): any, string?, integer?
local multishot = {}

---Stops it and waits until the kernel has let go; also `<close>`, and the end of a `for`. What was not taken is given up.
---@return true
function multishot:close() end

---Why it has ended: nothing, if by itself.
---@return nil?
---@return string? message
---@return integer? errno
function multishot:error() end

---An eventfd that counts completions.
---@param fd uring.Descriptor
---@return true?
---@return string? message
---@return integer? errno
function ring:register_eventfd(fd) end

---The same for completions of worker threads alone.
---@param fd uring.Descriptor
---@return true?
---@return string? message
---@return integer? errno
function ring:register_eventfd_async(fd) end

---Tells it no more.
---@return true?
---@return string? message
---@return integer? errno
function ring:unregister_eventfd() end

---Stops and starts telling it.
---@param on boolean
---@return true?
---@return string? message
---@return integer? errno
function ring:cq_eventfd_toggle(on) end

---Whether it is told.
---@return boolean
function ring:cq_eventfd_enabled() end

---A completion on this ring, without an operation.
---@param res integer
---@param data? integer
---@param flags? integer
---@return true?
---@return string? message
---@return integer? errno
function ring:register_sync_msg(res, data, flags) end

---Starts a ring made with `r_disabled`.
---@return true?
---@return string? message
---@return integer? errno
function ring:enable_rings() end

---What the ring may do, before it is enabled: `{sqe_op = "read"}`, `{sqe_flags_allowed = integer}`, `{sqe_flags_required = integer}`, `{register_op = integer}`. Without `"cancel"` it cannot be closed while it has operations in flight.
---@param list table[]
---@return true?
---@return string? message
---@return integer? errno
function ring:register_restrictions(list) end

---The rights of the process as they are now, for `sqe:set_personality`.
---@return integer?
---@return string? message
---@return integer? errno
function ring:register_personality() end

---Forgets them.
---@param id integer
---@return true?
---@return string? message
---@return integer? errno
function ring:unregister_personality(id) end

---What the kernel has: `last_op`, `ops` by number, `names` by name.
---@return table?
---@return string? message
---@return integer? errno
function ring:register_probe() end

---As `core.register_query`.
---@return table?
---@return string? message
---@return integer? errno
function ring:register_query() end

---A classic BPF program that decides on operations: `{opcode =, flags =, filter = string, pdu_size =}`.
---@param filter table
---@return true?
---@return string? message
---@return integer? errno
function ring:register_bpf_filter(filter) end

---Where worker threads run; processors are counted from 0.
---@param processors integer[]
---@return true?
---@return string? message
---@return integer? errno
function ring:register_iowq_aff(processors) end

---Anywhere again.
---@return true?
---@return string? message
---@return integer? errno
function ring:unregister_iowq_aff() end

---How many there may be, for files and for all else: the numbers before. 0 or nil leaves one as it is.
---@param bounded? integer
---@param unbounded? integer
---@return integer?
---@return integer|string?
---@return integer? errno
function ring:register_iowq_max_workers(bounded, unbounded) end

---Spares the kernel a look at the table of descriptors at each enter. A thread has 16 places for that.
---@return true?
---@return string? message
---@return integer? errno
function ring:register_ring_fd() end

---Takes that back.
---@return true?
---@return string? message
---@return integer? errno
function ring:unregister_ring_fd() end

---After `register_ring_fd`: closes the descriptor, which is not needed any more.
---@return true?
---@return string? message
---@return integer? errno
function ring:close_ring_fd() end

---Makes the queues larger or smaller, of a ring made with `defer_taskrun` and `no_sqarray`.
---@param sq_entries integer
---@param cq_entries? integer
---@return true?
---@return string? message
---@return integer? errno
function ring:resize_rings(sq_entries, cq_entries) end

---Whether waiting counts as I/O wait of the processor.
---@param on boolean
---@return true?
---@return string? message
---@return integer? errno
function ring:set_iowait(on) end

---Cancels operations and waits for their end: `{target =, fd =, flags =, timeout = seconds, opcode =}`. `target` is an sqe, a task, or what `set_data` kept.
---@param what table
---@return integer?
---@return string? message
---@return integer? errno
function ring:register_sync_cancel(what) end

---Busy polling of the network: `{busy_poll_to = microseconds, prefer_busy_poll = boolean, opcode =, op_param =}`; what it was before comes back.
---@param how table
---@return table?
---@return string? message
---@return integer? errno
function ring:register_napi(how) end

---Ends that: what it was.
---@return table?
---@return string? message
---@return integer? errno
function ring:unregister_napi() end

---What time waits are measured in: `CLOCK_MONOTONIC` or `CLOCK_BOOTTIME`.
---@param clock integer
---@return true?
---@return string? message
---@return integer? errno
function ring:register_clock(clock) end

---Memory for waits (`core.reg_wait`), whole pages of it, until the ring is closed; with `IORING_MEM_REGION_REG_WAIT_ARG` before the ring is enabled.
---@param buffer uring.Buffer
---@param flags? integer
---@return true?
---@return string? message
---@return integer? errno
function ring:register_region(buffer, flags) end

---A queue of a network card whose packets go to memory of ours: `{if_idx =, if_rxq =, rq_entries =, flags =, area = buffer, region = buffer}`; back come `zcrx_id`, `rq_area_token`, `head`, `tail`, `rqes`.
---@param queue table
---@return table?
---@return string? message
---@return integer? errno
function ring:register_ifq(queue) end

---Controls such a queue: `{zcrx_id =, op =}`.
---@param what table
---@return true?
---@return string? message
---@return integer? errno
function ring:register_zcrx_ctrl(what) end

---@class uring.Sqe
local sqe = {}

---Any value, for `cqe.data`.
---@param value any
---@return uring.Sqe
function sqe:set_data(value) end

---An integer, for `cqe.user_data`.
---@param data integer
---@return uring.Sqe
function sqe:set_data64(data) end

---`IOSQE_ASYNC` and so on. With `IOSQE_CQE_SKIP_SUCCESS` the script sees a completion only when it fails; the kernel skips a success itself where the operation has neither memory, nor Fd objects, nor a link to the next (then `set_data64` identifies a failure, as `set_data` asks for a record), and the ring drops it elsewhere. What makes a descriptor of an unknown number raises.
---@param flags integer
---@return uring.Sqe
function sqe:set_flags(flags) end

---Whose rights it has.
---@param id integer
---@return uring.Sqe
function sqe:set_personality(id) end

---A priority (ioprio_set(2)); of sends, receives and accepts their own flags, as `IORING_RECVSEND_POLL_FIRST`. Not `IORING_SEND_VECTORIZED`, for sends: their data would be taken for addresses.
---@param value integer
---@return uring.Sqe
function sqe:set_ioprio(value) end

---The provided buffers to choose from, with `IOSQE_BUFFER_SELECT`.
---@param group integer
---@return uring.Sqe
function sqe:set_buf_group(group) end

---The new descriptor goes to that slot of the ring's table, or any free one.
---@param slot? integer
---@return uring.Sqe
function sqe:set_target_fixed_file(slot) end

---Where a send that was prepared goes to.
---@param address uring.AddressLike
---@return uring.Sqe
function sqe:prep_send_set_addr(address) end

---Waits until it has completed: the kernel's result, negative for an error, flags, and what is `cqe.value` else. In a task others run meanwhile.
---@return integer
---@return integer
---@return any
function sqe:await() end

---@class uring.Cqe
---@field res integer the result; negative for an error
---@field flags integer `IORING_CQE_F_` flags
---@field data any what `sqe:set_data` was given, or a message's number
---@field user_data integer what `sqe:set_data64` was given
---@field value any what the kernel filled in: a statx table, a peer's address, a message
---@field more boolean the operation has further completions to come
---@field notif boolean a zero-copy send has let go of its memory
---@field message boolean sent by `prep_msg_ring`, or the tag of something registered
---@field buffer_id integer? the provided buffer that was chosen
local cqe = {}

---@class uring.Buffer
local buffer = {}

---Bytes `i` to `j`, as `string.sub`.
---@param i? integer
---@param j? integer
---@return string
function buffer:string(i, j) end

---The same as numbers, as `string.byte`.
---@param i? integer
---@param j? integer
---@return integer ...
function buffer:byte(i, j) end

---Puts a string at byte `i`, where it must fit.
---@param bytes string
---@param i? integer
---@return uring.Buffer
function buffer:set(bytes, i) end

---Sets bytes `i` to `j`.
---@param byte integer
---@param i? integer
---@param j? integer
---@return uring.Buffer
function buffer:fill(byte, i, j) end

---Keeps the bytes, new ones are 0. Raises while an operation uses the buffer, or it is registered.
---@param size integer
---@return uring.Buffer
function buffer:resize(size) end

---How many operations use it.
---@return integer
function buffer:busy() end

---The object has no memory from now on; what it had is freed, or goes back to its buffer ring, when no operation uses it any more. Also `<close>`.
function buffer:release() end

---@class uring.Fd
local fd = {}

---Cancels the operations on it, waits for their end, and closes. Twice does no harm. No cancellation interrupts it: the next await raises that.
---@return true?
---@return string? message
---@return integer? errno
function fd:close() end

---The number. A direct descriptor has none.
---@return integer
function fd:fileno() end

---The slot of a direct one.
---@return integer?
function fd:slot() end

---An ordinary descriptor of the same file, of a direct one; as `op.fixed_fd_install`.
---@param flags? integer
---@return uring.Fd?
---@return string? message
---@return integer? errno
function fd:install(flags) end

---The number or slot, which the caller owns from now on.
---@return integer
function fd:detach() end

---Whether it is open.
---@return boolean
function fd:isopen() end

---How many operations are prepared or in flight.
---@return integer
function fd:pending() end

---@class uring.Nursery
local nursery = {}

---Starts a task in it, as `core.spawn`.
---@param f function
---@param ... any
---@return uring.Task?
---@return string? message
---@return integer? errno
function nursery:spawn(f, ...) end

---Waits until none of its tasks is left.
function nursery:join() end

---From now on every await of its tasks raises the value, also of those it will have; not of a task that has another owner now.
---@param value any
---@return uring.Nursery
function nursery:interrupt(value) end

---The tasks of the other one are waited for here from now on. They keep their owner, so an interruption does not reach them.
---@param other uring.Nursery
---@return uring.Nursery
function nursery:adopt(other) end

---@class uring.Task
local task = {}

---Waits for its end: its results; raises its error.
---@return any ...
function task:join() end

---Asks it to end: its awaits raise.
---@param reason? string
---@return uring.Task
function task:cancel(reason) end

---From now on every await of it raises the value; nil lets it wait again.
---@param value any
---@return uring.Task
function task:interrupt(value) end

---Ends its `core.park`, with these values: whether it was parked.
---@param ... any
---@return boolean
function task:wake(...) end

---`"ready"`, `"running"`, `"waiting"`, `"done"`, `"failed"`, `"lost"`.
---@return string
function task:status() end

---What it waits for, and for how many seconds already.
---@return string?
---@return number?
function task:waiting() end

---Asks or sets its name.
---@param name? string
---@return string|uring.Task
function task:name(name) end

---Asks or sets what organises it.
---@param owner? any
---@return any
function task:owner(owner) end

---Whether somebody waited when it ended.
---@return boolean
function task:observed() end

---Where it waits, the innermost coroutine first, or where it failed.
---@return string?
function task:traceback() end

---@class uring.Timer
local timer = {}

---Whether it was still to come; also `<close>`.
---@return boolean
function timer:cancel() end

core.sock = {}

---bind(2).
---@param fd uring.Descriptor
---@param address uring.AddressLike
---@return true?
---@return string? message
---@return integer? errno
function core.sock.bind(fd, address) end

---listen(2).
---@param fd uring.Descriptor
---@param backlog? integer
---@return true?
---@return string? message
---@return integer? errno
function core.sock.listen(fd, backlog) end

---A socket's own address.
---@param fd uring.Descriptor
---@return uring.Address?
---@return string? message
---@return integer? errno
function core.sock.getsockname(fd) end

---The other side's.
---@param fd uring.Descriptor
---@return uring.Address?
---@return string? message
---@return integer? errno
function core.sock.getpeername(fd) end

---An option by its name, as `"nodelay"`, or its number. `kind` is `"int"`, `"timeval"`, `"linger"`, `"string"`, or a number of bytes; nil for what suits the option.
---@param fd uring.Descriptor
---@param level integer|string|nil
---@param name integer|string
---@param kind? string|integer
---@return any
---@return string? message
---@return integer? errno
function core.sock.getsockopt(fd, level, name, kind) end

---Sets an option.
---@param fd uring.Descriptor
---@param level integer|string|nil
---@param name integer|string
---@param value any
---@return true?
---@return string? message
---@return integer? errno
function core.sock.setsockopt(fd, level, name, value) end

---Two connected sockets; `"unix"` and `"stream"` by default.
---@param domain? string|integer
---@param type? string|integer
---@return uring.Fd?
---@return uring.Fd|string?
---@return integer? errno
function core.sock.socketpair(domain, type) end

---The end to read and the end to write.
---@param flags? integer
---@return uring.Fd?
---@return uring.Fd|string?
---@return integer? errno
function core.sock.pipe(flags) end

---The same with a number of its own.
---@param fd uring.Descriptor
---@return uring.Fd?
---@return string? message
---@return integer? errno
function core.sock.dup(fd) end

---Whether it is a terminal.
---@param fd uring.Descriptor
---@return boolean?
---@return string? message
---@return integer? errno
function core.sock.isatty(fd) end

core.sys = {}

---fchmod(2).
---@param fd uring.Descriptor
---@param mode integer
---@return true?
---@return string? message
---@return integer? errno
function core.sys.fchmod(fd, mode) end

core.coroutine = {}

---As coroutine.resume; `co` may await.
---@param co thread
---@param ... any
---@return boolean
---@return any ...
function core.coroutine.resume(co, ...) end

---As coroutine.wrap; `f` may await.
---@param f function
---@return function
function core.coroutine.wrap(f) end

---As coroutine.close; not of one that waits.
---@param co thread
---@return boolean
---@return any
function core.coroutine.close(co) end

---As coroutine.yield; not of one that has changed the owner of its task, and not put it back.
---@param ... any
---@return any ...
function core.coroutine.yield(...) end

---Does nothing, through the whole path of an operation.
---@param flags? integer # nil for 0
---@param result? integer # with `IORING_NOP_INJECT_RESULT`: the result; nil for 0
---@param extra1? integer # with `IORING_NOP_CQE32`: a number for the completion; nil for 0
---@param extra2? integer # the same
---@return uring.Sqe
function sqe:prep_nop(flags, result, extra1, extra2) end

---The same in an entry of 128 bytes, for rings with sqe128 or sqe_mixed.
---@return uring.Sqe
function sqe:prep_nop128() end

---Reads from a file, a pipe, a socket, a terminal.
---@param fd uring.Descriptor # a descriptor
---@param buffer? uring.Buffer # memory to fill; of `sqe:prep_` also nil, for a provided buffer
---@param length? integer # bytes; nil for all there are
---@param offset? integer # in bytes; nil or -1 for the file's position
---@return uring.Sqe
function sqe:prep_read(fd, buffer, length, offset) end

---Writes to a file, a pipe, a socket, a terminal.
---@param fd uring.Descriptor # a descriptor
---@param data uring.Data # what to write: a string or a buffer
---@param length? integer # bytes; nil for all there are
---@param offset? integer # in bytes; nil or -1 for the file's position
---@return uring.Sqe
function sqe:prep_write(fd, data, length, offset) end

---Reads into several buffers, one after the other.
---@param fd uring.Descriptor # a descriptor
---@param buffers uring.Buffer[] # up to 1024 buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@return uring.Sqe
function sqe:prep_readv(fd, buffers, offset) end

---Writes several strings and buffers, one after the other.
---@param fd uring.Descriptor # a descriptor
---@param pieces uring.Data[] # up to 1024 strings and buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@return uring.Sqe
function sqe:prep_writev(fd, pieces, offset) end

---The same with the flags of preadv2(2).
---@param fd uring.Descriptor # a descriptor
---@param buffers uring.Buffer[] # up to 1024 buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_readv2(fd, buffers, offset, flags) end

---The same with the flags of pwritev2(2).
---@param fd uring.Descriptor # a descriptor
---@param pieces uring.Data[] # up to 1024 strings and buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_writev2(fd, pieces, offset, flags) end

---Reads into a registered buffer, which the kernel need not map for it.
---@param fd uring.Descriptor # a descriptor
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param index? integer # of a registered buffer or a group; nil for 0
---@return uring.Sqe
function sqe:prep_read_fixed(fd, buffer, length, offset, index) end

---Writes from a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param index? integer # of a registered buffer or a group; nil for 0
---@return uring.Sqe
function sqe:prep_write_fixed(fd, buffer, length, offset, index) end

---Reads into several parts of a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param buffers uring.Buffer[] # up to 1024 buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param flags? integer # nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@return uring.Sqe
function sqe:prep_readv_fixed(fd, buffers, offset, flags, index) end

---Writes several parts of a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param buffers uring.Buffer[] # up to 1024 buffers
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param flags? integer # nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@return uring.Sqe
function sqe:prep_writev_fixed(fd, buffers, offset, flags, index) end

---Reads again and again, into provided buffers, as data comes.
---@param fd uring.Descriptor # a descriptor
---@param length? integer # bytes; nil for 0
---@param offset? integer # in bytes; nil or -1 for the file's position
---@param group? uring.Bufring # the provided buffers; nil for the ring's own
---@return uring.Sqe
function sqe:prep_read_multishot(fd, length, offset, group) end

---Opens a file, relative to a directory.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param flags? integer # nil for 0
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@return uring.Sqe
function sqe:prep_openat(dir, path, flags, mode) end

---Opens a file.
---@param path string # a path
---@param flags? integer # nil for 0
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@return uring.Sqe
function sqe:prep_open(path, flags, mode) end

---Opens a file, and says how its path may be resolved.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param how table # `{flags =, mode =, resolve =}`, integers
---@return uring.Sqe
function sqe:prep_openat2(dir, path, how) end

---Opens a file into the ring's table of descriptors.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param flags? integer # nil for 0
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Sqe
function sqe:prep_openat_direct(dir, path, flags, mode, slot) end

---Opens a file into the ring's table, relative to the current directory.
---@param path string # a path
---@param flags? integer # nil for 0
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Sqe
function sqe:prep_open_direct(path, flags, mode, slot) end

---The same into the ring's table of descriptors.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param how table # `{flags =, mode =, resolve =}`, integers
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Sqe
function sqe:prep_openat2_direct(dir, path, how, slot) end

---Empties a slot of the ring's table.
---@param direct uring.Fd|integer # a direct descriptor, or its slot
---@return uring.Sqe
function sqe:prep_close_direct(direct) end

---Makes an ordinary descriptor of a direct one.
---@param direct uring.Fd|integer # a direct descriptor, or its slot
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_fixed_fd_install(direct, flags) end

---Puts descriptors into the ring's table of descriptors.
---@param fds (uring.Descriptor|false)[] # descriptors; false for none, -2 to leave a slot
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Sqe
function sqe:prep_files_update(fds, slot) end

---Closes a descriptor.
---@param fd uring.Descriptor # a descriptor
---@return uring.Sqe
function sqe:prep_close(fd) end

---Has the disk keep what was written to a file.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_fsync(fd, flags) end

---Says what a file is: its size, owner, times.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param flags? integer # nil for 0
---@param fields? integer|string|string[] # `STATX_` mask, or names, as `"size"`; nil for the basic ones and `btime`
---@return uring.Sqe
function sqe:prep_statx(dir, path, flags, fields) end

---Reserves room in a file, or frees a part of it.
---@param fd uring.Descriptor # a descriptor
---@param mode? integer # nil for 0
---@param start? integer # in bytes; nil for 0
---@param length integer # bytes; nil for 0
---@return uring.Sqe
function sqe:prep_fallocate(fd, mode, start, length) end

---Makes a file shorter or longer.
---@param fd uring.Descriptor # a descriptor
---@param size integer # bytes
---@return uring.Sqe
function sqe:prep_ftruncate(fd, size) end

---Says how a range of a file will be used.
---@param fd uring.Descriptor # a descriptor
---@param start? integer # in bytes; nil for 0
---@param length? integer # bytes; nil for 0
---@param advice? integer # `POSIX_FADV_` or `MADV_` number; nil for 0, the normal one
---@return uring.Sqe
function sqe:prep_fadvise(fd, start, length, advice) end

---The same with a length of 64 bits.
---@param fd uring.Descriptor # a descriptor
---@param start? integer # in bytes; nil for 0
---@param length integer # bytes; nil for 0
---@param advice? integer # `POSIX_FADV_` or `MADV_` number; nil for 0, the normal one
---@return uring.Sqe
function sqe:prep_fadvise64(fd, start, length, advice) end

---Says how memory will be used.
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param advice? integer # `POSIX_FADV_` or `MADV_` number; nil for 0, the normal one
---@return uring.Sqe
function sqe:prep_madvise(buffer, length, advice) end

---The same with a length of 64 bits.
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param advice? integer # `POSIX_FADV_` or `MADV_` number; nil for 0, the normal one
---@return uring.Sqe
function sqe:prep_madvise64(buffer, length, advice) end

---Has a range of a file written to the disk, or waits for that.
---@param fd uring.Descriptor # a descriptor
---@param length? integer # bytes; nil for 0
---@param start? integer # in bytes; nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_sync_file_range(fd, length, start, flags) end

---Moves bytes between two descriptors, of which one is a pipe, inside the kernel.
---@param fd_in uring.Descriptor # the descriptor to read from
---@param offset_in? integer # of `fd_in`, in bytes; nil or -1 for its position, and for a pipe
---@param fd_out uring.Descriptor # the descriptor to write to
---@param offset_out? integer # of `fd_out`, likewise
---@param length? integer # bytes; nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_splice(fd_in, offset_in, fd_out, offset_out, length, flags) end

---Copies bytes from a pipe to another without taking them.
---@param fd_in uring.Descriptor # the descriptor to read from
---@param fd_out uring.Descriptor # the descriptor to write to
---@param length? integer # bytes; nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_tee(fd_in, fd_out, length, flags) end

---Makes a pipe.
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_pipe(flags) end

---Makes a pipe in the ring's table of descriptors.
---@param flags? integer # nil for 0
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Sqe
function sqe:prep_pipe_direct(flags, slot) end

---Gets an extended attribute of a file.
---@param name string # a name or path
---@param buffer? uring.Buffer # memory to fill; nil for a string of any length, 0 to ask for the length alone
---@param path string # a path
---@param length? integer # bytes; nil for all there are
---@return uring.Sqe
function sqe:prep_getxattr(name, buffer, path, length) end

---Sets an extended attribute of a file.
---@param name string # a name or path
---@param value uring.Data # what is to be there; nil for 0
---@param path string # a path
---@param flags? integer # nil for 0
---@param length? integer # bytes; nil for all there are
---@return uring.Sqe
function sqe:prep_setxattr(name, value, path, flags, length) end

---Gets an extended attribute of an open file.
---@param fd uring.Descriptor # a descriptor
---@param name string # a name or path
---@param buffer? uring.Buffer # memory to fill; nil for a string of any length, 0 to ask for the length alone
---@param length? integer # bytes; nil for all there are
---@return uring.Sqe
function sqe:prep_fgetxattr(fd, name, buffer, length) end

---Sets an extended attribute of an open file.
---@param fd uring.Descriptor # a descriptor
---@param name string # a name or path
---@param value uring.Data # what is to be there; nil for 0
---@param flags? integer # nil for 0
---@param length? integer # bytes; nil for all there are
---@return uring.Sqe
function sqe:prep_fsetxattr(fd, name, value, flags, length) end

---Makes a directory.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@return uring.Sqe
function sqe:prep_mkdirat(dir, path, mode) end

---Makes a directory.
---@param path string # a path
---@param mode? integer # permissions; nil for 0666, for directories 0777 (octal)
---@return uring.Sqe
function sqe:prep_mkdir(path, mode) end

---Gives a file another name.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param new_dir? uring.Descriptor # the directory; nil for the current one
---@param new_path string # the new path
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_renameat(dir, path, new_dir, new_path, flags) end

---Gives a file another name.
---@param path string # a path
---@param new_path string # the new path
---@return uring.Sqe
function sqe:prep_rename(path, new_path) end

---Removes a file, or with `AT_REMOVEDIR` a directory.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_unlinkat(dir, path, flags) end

---Removes a file.
---@param path string # a path
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_unlink(path, flags) end

---Makes a symbolic link.
---@param target string # what the link says
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@return uring.Sqe
function sqe:prep_symlinkat(target, dir, path) end

---Makes a symbolic link.
---@param target string # what the link says
---@param path string # a path
---@return uring.Sqe
function sqe:prep_symlink(target, path) end

---Gives a file a second name.
---@param dir? uring.Descriptor # the directory; nil for the current one
---@param path string # a path
---@param new_dir? uring.Descriptor # the directory; nil for the current one
---@param new_path string # the new path
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_linkat(dir, path, new_dir, new_path, flags) end

---Gives a file a second name.
---@param path string # a path
---@param new_path string # the new path
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_link(path, new_path, flags) end

---Makes a socket.
---@param domain integer # `AF_INET` and so on
---@param type integer # `SOCK_STREAM` and so on
---@param protocol? integer # nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_socket(domain, type, protocol, flags) end

---Makes a socket in the ring's table of descriptors.
---@param domain integer # `AF_INET` and so on
---@param type integer # `SOCK_STREAM` and so on
---@param protocol? integer # nil for 0
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_socket_direct(domain, type, protocol, slot, flags) end

---The same in any free slot.
---@param domain integer # `AF_INET` and so on
---@param type integer # `SOCK_STREAM` and so on
---@param protocol? integer # nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_socket_direct_alloc(domain, type, protocol, flags) end

---Gives a socket its own address.
---@param fd uring.Descriptor # a descriptor
---@param address uring.AddressLike # as `"127.0.0.1:80"`, or a table
---@return uring.Sqe
function sqe:prep_bind(fd, address) end

---Lets a socket take connections.
---@param fd uring.Descriptor # a descriptor
---@param backlog? integer # how many connections may wait; nil for 0
---@return uring.Sqe
function sqe:prep_listen(fd, backlog) end

---Takes a connection from a listening socket.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_accept(fd, flags) end

---Takes a connection into the ring's table of descriptors.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@return uring.Sqe
function sqe:prep_accept_direct(fd, flags, slot) end

---Takes connection after connection.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_multishot_accept(fd, flags) end

---Takes connection after connection into free slots of the ring's table.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_multishot_accept_direct(fd, flags) end

---Connects a socket.
---@param fd uring.Descriptor # a descriptor
---@param address uring.AddressLike # as `"127.0.0.1:80"`, or a table
---@return uring.Sqe
function sqe:prep_connect(fd, address) end

---Sends to a connected socket.
---@param fd uring.Descriptor # a descriptor
---@param data uring.Data # what to write: a string or a buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_send(fd, data, length, flags) end

---Sends to an address.
---@param fd uring.Descriptor # a descriptor
---@param data uring.Data # what to write: a string or a buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@param address? uring.AddressLike # where to; nil for the connected one
---@return uring.Sqe
function sqe:prep_sendto(fd, data, length, flags, address) end

---Sends without copying the data.
---@param fd uring.Descriptor # a descriptor
---@param data uring.Data # what to write: a string or a buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@param zc_flags? integer # `IORING_SEND_ZC_REPORT_USAGE`; nil for 0
---@param address? uring.AddressLike # where to; nil for the connected one
---@return uring.Sqe
function sqe:prep_send_zc(fd, data, length, flags, zc_flags, address) end

---The same from a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param buffer uring.Buffer # a buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@param zc_flags? integer # `IORING_SEND_ZC_REPORT_USAGE`; nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@param address? uring.AddressLike # where to; nil for the connected one
---@return uring.Sqe
function sqe:prep_send_zc_fixed(fd, buffer, length, flags, zc_flags, index, address) end

---Receives from a socket.
---@param fd uring.Descriptor # a descriptor
---@param buffer? uring.Buffer # memory to fill; of `sqe:prep_` also nil, for a provided buffer
---@param length? integer # bytes; nil for all there are
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_recv(fd, buffer, length, flags) end

---Sends as many provided buffers as there are, in one go.
---@param fd uring.Descriptor # a descriptor
---@param length? integer # bytes; nil for 0
---@param flags? integer # nil for 0
---@param group? uring.Bufring # the provided buffers; nil for the ring's own
---@return uring.Sqe
function sqe:prep_send_bundle(fd, length, flags, group) end

---Sends strings and buffers in one go.
---@param fd uring.Descriptor # a descriptor
---@param pieces uring.Data[] # up to 1024 strings and buffers
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_send_vectorized(fd, pieces, flags) end

---Sends to a socket what one buffer and one address cannot say: pieces, descriptors, credentials.
---@param fd uring.Descriptor # a descriptor
---@param message table # `{iov =, name =, control =}`: a string, a buffer or a list of them; where to; control messages
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_sendmsg(fd, message, flags) end

---Sends a message without copying its data.
---@param fd uring.Descriptor # a descriptor
---@param message table # `{iov =, name =, control =}`: a string, a buffer or a list of them; where to; control messages
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_sendmsg_zc(fd, message, flags) end

---The same from a registered buffer.
---@param fd uring.Descriptor # a descriptor
---@param message table # `{iov =, name =, control =}`: a string, a buffer or a list of them; where to; control messages
---@param flags? integer # nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@return uring.Sqe
function sqe:prep_sendmsg_zc_fixed(fd, message, flags, index) end

---Receives a message with its address and control messages.
---@param fd uring.Descriptor # a descriptor
---@param message table|integer # `{iov =, control =, name =}`: bytes, a buffer or a list of them; bytes of room for control messages; false without the address. Or the bytes
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_recvmsg(fd, message, flags) end

---Receives message after message into provided buffers.
---@param fd uring.Descriptor # a descriptor
---@param message? table # `{control =, name =}`: bytes of room for control messages; false without the address
---@param flags? integer # nil for 0
---@param group? uring.Bufring # the provided buffers; nil for the ring's own
---@return uring.Sqe
function sqe:prep_recvmsg_multishot(fd, message, flags, group) end

---Receives into memory of ours without a copy, from a queue of a network card.
---@param fd uring.Descriptor # a descriptor
---@param count? integer # nil for 0
---@param flags? integer # nil for 0
---@param index? integer # of a registered buffer or a group; nil for 0
---@return uring.Sqe
function sqe:prep_recv_zc(fd, count, flags, index) end

---Receives again and again, into provided buffers, as data comes.
---@param fd uring.Descriptor # a descriptor
---@param group? uring.Bufring # the provided buffers; nil for the ring's own
---@param length? integer # bytes; nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_recv_multishot(fd, group, length, flags) end

---Ends one or both directions of a connection.
---@param fd uring.Descriptor # a descriptor
---@param how integer|string # `"read"`, `"write"`, `"both"`, or a `SHUT_` number
---@return uring.Sqe
function sqe:prep_shutdown(fd, how) end

---Asks a socket, or sets an option of it.
---@param command integer # `SOCKET_URING_OP_` number
---@param fd uring.Descriptor # a descriptor
---@param level? integer # `SOL_SOCKET` and so on; nil for 0
---@param option? integer # `SO_` number and so on; nil for 0
---@param value any # to set: an integer, a boolean, a string or a buffer; to get: nil for an integer, a number of bytes for a string, or a buffer
---@return uring.Sqe
function sqe:prep_cmd_sock(command, fd, level, option, value) end

---Tells when packets of a socket were sent.
---@param fd uring.Descriptor # a descriptor
---@return uring.Sqe
function sqe:prep_cmd_tx_timestamp(fd) end

---Says a socket's own address, or with `peer` 1 the other side's.
---@param fd uring.Descriptor # a descriptor
---@param peer? integer # 1 for the other side's address; nil for 0
---@return uring.Sqe
function sqe:prep_cmd_getsockname(fd, peer) end

---Waits until a descriptor is ready.
---@param fd uring.Descriptor # a descriptor
---@param events integer # `POLLIN` and so on
---@return uring.Sqe
function sqe:prep_poll_add(fd, events) end

---The same again and again, a completion each time.
---@param fd uring.Descriptor # a descriptor
---@param events integer # `POLLIN` and so on
---@return uring.Sqe
function sqe:prep_poll_multishot(fd, events) end

---Ends a poll_add or poll_multishot, which then gives ECANCELED.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@return uring.Sqe
function sqe:prep_poll_remove(target) end

---Changes the events that a poll waits for, or its data.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param data? integer # nil for as it is
---@param events? integer # nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_poll_update(target, data, events, flags) end

---Waits for a time, or for so many other completions.
---@param seconds number # a time in seconds
---@param count? integer # nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_timeout(seconds, count, flags) end

---Comes back again and again, `count` times or for ever.
---@param seconds number # a time in seconds
---@param count? integer # nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_timeout_multishot(seconds, count, flags) end

---Ends a timeout, which then gives ECANCELED.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_timeout_remove(target, flags) end

---Gives a timeout another time.
---@param seconds number # a time in seconds
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_timeout_update(seconds, target, flags) end

---Limits the time of the operation before it, which must be linked to it.
---@param seconds number # a time in seconds
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_link_timeout(seconds, flags) end

---Cancels operations: one by its sqe, its task or its data, or several by flags.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param flags? integer # nil for 0
---@param opcode? integer # the number of an operation, with `IORING_ASYNC_CANCEL_OP`; nil for 0
---@return uring.Sqe
function sqe:prep_cancel(target, flags, opcode) end

---The same as cancel, which takes integers, too.
---@param target any # an operation: its sqe, its task, or what `set_data` or `set_data64` said
---@param flags? integer # nil for 0
---@param opcode? integer # the number of an operation, with `IORING_ASYNC_CANCEL_OP`; nil for 0
---@return uring.Sqe
function sqe:prep_cancel64(target, flags, opcode) end

---Cancels the operations on a descriptor.
---@param fd uring.Descriptor # a descriptor
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_cancel_fd(fd, flags) end

---Adds a descriptor to an epoll instance, changes or removes it.
---@param epfd uring.Descriptor # the epoll instance
---@param fd uring.Descriptor # a descriptor, which must not be a direct one
---@param op integer|string # `"add"`, `"mod"`, `"del"`, or an `EPOLL_CTL_` number
---@param event? table|integer # `{events =, data =}`, or the events; nil for `"del"`
---@return uring.Sqe
function sqe:prep_epoll_ctl(epfd, fd, op, event) end

---Waits for events of an epoll instance.
---@param epfd uring.Descriptor # the epoll instance
---@param max integer # how many at once, 1 to 65536
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_epoll_wait(epfd, max, flags) end

---Sends a number and a result to another ring, which gets them as a completion.
---@param ring uring.Descriptor # the other ring, or its descriptor
---@param result? integer # the result there; nil for 0
---@param data? integer # of 56 bits; nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_msg_ring(ring, result, data, flags) end

---The same with the flags of the completion.
---@param ring uring.Descriptor # the other ring, or its descriptor
---@param result? integer # the result there; nil for 0
---@param data? integer # of 56 bits; nil for 0
---@param flags? integer # nil for 0
---@param cqe_flags? integer # flags of the completion there; nil for 0
---@return uring.Sqe
function sqe:prep_msg_ring_cqe_flags(ring, result, data, flags, cqe_flags) end

---Sends a direct descriptor to a slot of another ring's table.
---@param ring uring.Descriptor # the other ring, or its descriptor
---@param direct uring.Fd|integer # a direct descriptor, or its slot
---@param slot? integer # of the ring's table, from 0; nil for any free one
---@param data? integer # of 56 bits; nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_msg_ring_fd(ring, direct, slot, data, flags) end

---The same to any free slot.
---@param ring uring.Descriptor # the other ring, or its descriptor
---@param direct uring.Fd|integer # a direct descriptor, or its slot
---@param data? integer # of 56 bits; nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_msg_ring_fd_alloc(ring, direct, data, flags) end

---Waits until the four bytes in a buffer are not what is expected, and somebody wakes.
---@param buffer uring.Buffer # a buffer
---@param value? integer # what is to be there; nil for 0
---@param mask? integer # 32 bits; nil for all
---@param futex_flags? integer # `FUTEX2_` flags; nil for 32 bits, this process
---@param flags? integer # nil for 0
---@param at? integer # the word's place in the buffer, from 0; nil for 0
---@return uring.Sqe
function sqe:prep_futex_wait(buffer, value, mask, futex_flags, flags, at) end

---Wakes those who wait for a word in a buffer.
---@param buffer uring.Buffer # a buffer
---@param count? integer # nil for 0
---@param mask? integer # 32 bits; nil for all
---@param futex_flags? integer # `FUTEX2_` flags; nil for 32 bits, this process
---@param flags? integer # nil for 0
---@param at? integer # the word's place in the buffer, from 0; nil for 0
---@return uring.Sqe
function sqe:prep_futex_wake(buffer, count, mask, futex_flags, flags, at) end

---Waits for one of up to 128 words.
---@param futexes table[] # `{buffer, value, at =, flags =}` each
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_futex_waitv(futexes, flags) end

---Waits until a child has ended, stopped or goes on.
---@param idtype integer # `P_PID`, `P_PGID`, `P_ALL` or `P_PIDFD`
---@param id integer|uring.Descriptor # a process, a group, or a descriptor of a process
---@param options? integer # `WEXITED` and so on; nil for 0
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_waitid(idtype, id, options, flags) end

---Gives the kernel pieces of a buffer, for operations that choose one.
---@param buffer uring.Buffer # a buffer
---@param length integer # bytes; nil for 0
---@param count? integer # nil for 0
---@param group? integer # the group's number; nil for 0
---@param first? integer # the number of the first one; nil for 0
---@return uring.Sqe
function sqe:prep_provide_buffers(buffer, length, count, group, first) end

---Takes back pieces that were provided.
---@param count? integer # nil for 0
---@param group? integer # the group's number; nil for 0
---@return uring.Sqe
function sqe:prep_remove_buffers(count, group) end

---Gives a driver a command of its own.
---@param command integer # the driver's number
---@param fd uring.Descriptor # a descriptor
---@param bytes? string # the command's bytes
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_uring_cmd(command, fd, bytes, flags) end

---The same with up to 80 bytes, in an entry of 128.
---@param command integer # the driver's number
---@param fd uring.Descriptor # a descriptor
---@param bytes? string # the command's bytes
---@param flags? integer # nil for 0
---@return uring.Sqe
function sqe:prep_uring_cmd128(command, fd, bytes, flags) end

---Forgets blocks of a device, whose contents are lost.
---@param fd uring.Descriptor # a descriptor
---@param start? integer # in bytes; nil for 0
---@param length integer # bytes; nil for 0
---@return uring.Sqe
function sqe:prep_cmd_discard(fd, start, length) end

return core
