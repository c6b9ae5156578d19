-- What of liburing a script does not get under its own name, and why.  Nothing
-- is here that the kernel can do and a script cannot have.

return {
  -- preparing
  __io_uring_prep_poll_mask = "the byte order of a mask; done by prep_poll_add",
  __io_uring_prep_uring_cmd = "the common part of prep_uring_cmd and prep_uring_cmd128",
  uring_ptr_to_u64 = "there are no pointers in Lua",

  -- making a ring
  io_uring_queue_init_mem = "memory of one's own for the queues: core.ring decides",
  io_uring_mlock_size = "says 0 for every kernel that this module runs on",
  io_uring_mlock_size_params = "says 0 for every kernel that this module runs on",
  io_uring_memory_size = "for queue_init_mem",
  io_uring_memory_size_params = "for queue_init_mem",
  io_uring_sqe_shift = "the size of an entry is the module's business",
  io_uring_sqe_shift_from_flags = "the size of an entry is the module's business",

  -- completions
  io_uring_cqe_get_data = "the field cqe.data",
  io_uring_cqe_get_data64 = "the field cqe.user_data",

  -- provided buffers
  io_uring_buf_ring_init = "part of setup_buf_ring",
  io_uring_buf_ring_mask = "for buf_ring_add, which knows it",
  io_uring_buf_ring_cq_advance = "two steps in one, which happen apart here",
  __io_uring_buf_ring_cq_advance = "two steps in one, which happen apart here",

  -- messages: those of recvmsg_multishot have been taken apart already
  io_uring_recvmsg_validate = "the field cqe.value, nil for what is none",
  io_uring_recvmsg_name = "the field cqe.value.name",
  io_uring_recvmsg_payload = "the field cqe.value.data",
  io_uring_recvmsg_payload_length = "the field cqe.value.data",
  io_uring_recvmsg_cmsg_firsthdr = "the field cqe.value.control",
  io_uring_recvmsg_cmsg_nexthdr = "the field cqe.value.control",

  -- registering
  io_uring_register = "takes pointers; each call has a method of its own",
  io_uring_register_wait_reg = "was never finished: always EINVAL; register_region does it",

  -- waits of a region, as liburing 2.8 and 2.9 had them
  io_uring_setup_reg_wait = "replaced by register_region",
  io_uring_free_reg_wait = "replaced by register_region",
  io_uring_register_reg_wait = "replaced by register_region",

  -- about liburing itself: the module is the same with any release of it
  io_uring_major_version = "the module is the same with any liburing",
  io_uring_minor_version = "the module is the same with any liburing",
  io_uring_check_version = "the module is the same with any liburing",
  io_uring_cqe_index = "for C",
  io_uring_smp_load_acquire = "for C",
  io_uring_smp_store_release = "for C",
  uring_likely = "for C",
  uring_unlikely = "for C",
}
