/* SPDX-License-Identifier: MIT
**
** statx.c - what statx(2) asks for and answers.
**
** The table has the names of the manual page without "stx_".  A field is
** there if the kernel says that it is valid, in stx_mask; a file system may
** know less than was asked for, and more.  The rows below are all there is
** to know of a field, so a new one is a new row.
*/

#include <sys/sysmacros.h>

#include "uring.h"

/* ---- the mask ----------------------------------------------------------- */

/* bits that older headers lack */
enum {
  U_STATX_MNT_ID_UNIQUE = 0x4000,      /* 6.8 */
  U_STATX_SUBVOL = 0x8000,             /* 6.10 */
  U_STATX_WRITE_ATOMIC = 0x10000,      /* 6.11 */
  U_STATX_DIO_READ_ALIGN = 0x20000     /* 6.15 */
};

/*
** "perm" is a field of ours.  "all" is STATX_ALL, which stays what it was
** at first: it is not every bit that there is by now.
*/
static const struct {
  const char *name;
  unsigned bits;
} names[] = {
  {"type", STATX_TYPE},
  {"mode", STATX_MODE},
  {"perm", STATX_MODE},
  {"nlink", STATX_NLINK},
  {"uid", STATX_UID},
  {"gid", STATX_GID},
  {"atime", STATX_ATIME},
  {"mtime", STATX_MTIME},
  {"ctime", STATX_CTIME},
  {"ino", STATX_INO},
  {"size", STATX_SIZE},
  {"blocks", STATX_BLOCKS},
  {"basic", STATX_BASIC_STATS},
  {"btime", STATX_BTIME},
  {"all", STATX_BASIC_STATS | STATX_BTIME},
  {"mnt_id", STATX_MNT_ID},
  {"dioalign", STATX_DIOALIGN},
  {"mnt_id_unique", U_STATX_MNT_ID_UNIQUE},
  {"subvol", U_STATX_SUBVOL},
  {"write_atomic", U_STATX_WRITE_ATOMIC},
  {"dio_read_align", U_STATX_DIO_READ_ALIGN},
  {"dev", 0},          /* these come with every answer */
  {"rdev", 0},
  {"blksize", 0},
  {"attributes", 0},
  {NULL, 0}
};

/* The bits of the name at 'index', which is or is in argument 'arg' [e]. */
static unsigned name_bits(lua_State *L, int index, int arg) {
  const char *name = NULL;
  if (lua_type(L, index) == LUA_TSTRING)
    name = lua_tostring(L, index);
  else
    luaL_argerror(L, arg, lua_pushfstring(L, "list of names expected, got %s "
      "in it", luaL_typename(L, index)));
  for (size_t i = 0; names[i].name != NULL; i++)
    if (strcmp(names[i].name, name) == 0)
      return names[i].bits;
  luaL_argerror(L, arg, lua_pushfstring(L, "no statx field has the name '%s'",
                                        name));
  return 0;
}

/*
** The mask at 'arg' [-0, +0, e]: an integer, the name of a field, or a list
** of names; 'def' for nil.  Runs no Lua code: a list is read raw.
*/
unsigned statx_mask(lua_State *L, int arg, unsigned def) {
  unsigned bits = 0;
  switch (lua_type(L, arg)) {
    case LUA_TNONE: case LUA_TNIL: return def;
    case LUA_TNUMBER: return (unsigned)args_int(L, arg, 0, MAX_U32);
    case LUA_TSTRING: return name_bits(L, arg, arg);
    case LUA_TTABLE: break;
    default: luaL_typeerror(L, arg, "integer, name or list of names");
  }
  for (lua_Unsigned i = 1; i <= lua_rawlen(L, arg); i++) {
    lua_rawgeti(L, arg, (lua_Integer)i);
    bits |= name_bits(L, -1, arg);
    lua_pop(L, 1);
  }
  return bits;
}

/* ---- the answer --------------------------------------------------------- */

/* How a field is read; the times are two fields of the table. */
typedef enum { U16, U32, U64, TIME } Kind;

typedef struct Field {
  const char *name;
  Kind kind;
  size_t offset;
  unsigned bits;       /* valid if all of these are in stx_mask */
  const char *nsec;    /* the other field of a time */
} Field;

/* For a member that every C library's declaration has. */
#define AT(member) offsetof(struct statx, stx_##member)

/*
** The last ones are given by their place in the kernel's structure: it is
** fixed, and the declaration of an older C library has a reserve there.
*/
static const Field fields[] = {
  {"mask", U32, AT(mask), 0, NULL},
  {"blksize", U32, AT(blksize), 0, NULL},
  {"attributes", U64, AT(attributes), 0, NULL},
  {"attributes_mask", U64, AT(attributes_mask), 0, NULL},
  {"dev_major", U32, AT(dev_major), 0, NULL},
  {"dev_minor", U32, AT(dev_minor), 0, NULL},
  {"rdev_major", U32, AT(rdev_major), 0, NULL},
  {"rdev_minor", U32, AT(rdev_minor), 0, NULL},
  {"mode", U16, AT(mode), STATX_TYPE | STATX_MODE, NULL},
  {"nlink", U32, AT(nlink), STATX_NLINK, NULL},
  {"uid", U32, AT(uid), STATX_UID, NULL},
  {"gid", U32, AT(gid), STATX_GID, NULL},
  {"ino", U64, AT(ino), STATX_INO, NULL},
  {"size", U64, AT(size), STATX_SIZE, NULL},
  {"blocks", U64, AT(blocks), STATX_BLOCKS, NULL},
  {"atime", TIME, AT(atime), STATX_ATIME, "atime_nsec"},
  {"btime", TIME, AT(btime), STATX_BTIME, "btime_nsec"},
  {"ctime", TIME, AT(ctime), STATX_CTIME, "ctime_nsec"},
  {"mtime", TIME, AT(mtime), STATX_MTIME, "mtime_nsec"},
  {"mnt_id", U64, 144, STATX_MNT_ID, NULL},
  {"mnt_id", U64, 144, U_STATX_MNT_ID_UNIQUE, NULL},
  {"dio_mem_align", U32, 152, STATX_DIOALIGN, NULL},
  {"dio_offset_align", U32, 156, STATX_DIOALIGN, NULL},
  {"subvol", U64, 160, U_STATX_SUBVOL, NULL},
  {"atomic_write_unit_min", U32, 168, U_STATX_WRITE_ATOMIC, NULL},
  {"atomic_write_unit_max", U32, 172, U_STATX_WRITE_ATOMIC, NULL},
  {"atomic_write_segments_max", U32, 176, U_STATX_WRITE_ATOMIC, NULL},
  {"dio_read_offset_align", U32, 180, U_STATX_DIO_READ_ALIGN, NULL},
  {"atomic_write_unit_max_opt", U32, 184, U_STATX_WRITE_ATOMIC, NULL}
};

/*
** An unsigned integer of the structure.  One of 64 bits may come out
** negative: only bit sets (attributes) are that large.
*/
static lua_Integer load(const struct statx *st, size_t offset, Kind kind) {
  const char *from = (const char *)st + offset;
  uint16_t u16;
  uint32_t u32;
  uint64_t u64;
  switch (kind) {
    case U16: memcpy(&u16, from, sizeof u16); return u16;
    case U32: memcpy(&u32, from, sizeof u32); return u32;
    default: memcpy(&u64, from, sizeof u64); return (lua_Integer)u64;
  }
}

/*
** Seconds, an integer where nothing is lost by that.  A float cannot hold
** today's nanoseconds, so they are in a field of their own as well.
*/
static void set_time(lua_State *L, const struct statx *st, const Field *f) {
  struct statx_timestamp t;
  memcpy(&t, (const char *)st + f->offset, sizeof t);
  if (t.tv_nsec == 0)
    lua_pushinteger(L, t.tv_sec);
  else
    lua_pushnumber(L, (lua_Number)t.tv_sec + t.tv_nsec / 1e9);
  lua_setfield(L, -2, f->name);
  lua_pushinteger(L, t.tv_nsec);
  lua_setfield(L, -2, f->nsec);
}

/* One word for each type, so that scripts need no masks. */
static const char *type_name(unsigned mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "link";
    case S_IFSOCK: return "socket";
    case S_IFIFO: return "fifo";
    case S_IFCHR: return "char";
    case S_IFBLK: return "block";
    default: return "unknown";
  }
}

/* What stat(2) has and statx(2) only in parts, and what scripts ask for. */
static void set_derived(lua_State *L, const struct statx *st) {
  lua_pushinteger(L, (lua_Integer)makedev(st->stx_dev_major,
                                          st->stx_dev_minor));
  lua_setfield(L, -2, "dev");
  lua_pushinteger(L, (lua_Integer)makedev(st->stx_rdev_major,
                                          st->stx_rdev_minor));
  lua_setfield(L, -2, "rdev");
  if (st->stx_mask & STATX_TYPE) {
    lua_pushstring(L, type_name(st->stx_mode));
    lua_setfield(L, -2, "type");
  }
  if (st->stx_mask & STATX_MODE) {
    lua_pushinteger(L, st->stx_mode & 07777);
    lua_setfield(L, -2, "perm");
  }
}

/*
** Push the table of the valid fields [-0, +1, e].  The structure must not be
** in memory that Lua code can free or resize meanwhile.
*/
void statx_push(lua_State *L, const struct statx *st) {
  lua_createtable(L, 0, 32);  /* what the default mask gives */
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    const Field *f = &fields[i];
    if ((st->stx_mask & f->bits) != f->bits)
      continue;
    if (f->kind == TIME)
      set_time(L, st, f);
    else {
      lua_pushinteger(L, load(st, f->offset, f->kind));
      lua_setfield(L, -2, f->name);
    }
  }
  set_derived(L, st);
}

/* ---- the module --------------------------------------------------------- */

/*
** core.statx(buffer) -> table
** Of a struct statx at the beginning of the buffer, as the raw layer gets it
** from the kernel.
*/
static int l_statx_decode(lua_State *L) {
  Block *b = buf_check(L, 1);
  struct statx st;
  luaL_argcheck(L, b->size >= sizeof st, 1,
                "buffer is too small for a struct statx");
  memcpy(&st, b->data, sizeof st);  /* pushing may run any finaliser */
  statx_push(L, &st);
  return 1;
}

static const luaL_Reg functions[] = {
  {"statx", l_statx_decode},
  {NULL, NULL}
};

void statx_open(lua_State *L, State *S) {
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, functions, 1);
}
