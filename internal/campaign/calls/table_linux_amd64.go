package calls

// how says where a system call has the file that it works on.
type how int

const (
	byFD     how = iota // the first argument is an open file
	byPath              // the first argument is a path
	byAt                // a folder, and a path in it
	byTwo               // two paths
	byTwoAt             // two folders and two paths
	byMapped            // mmap: the fifth argument is an open file
)

// kind is a system call that is seen.
type kind struct {
	name string
	how  how
}

// kinds are the system calls on files by number, but for those that only ask how a file is open (fcntl, ioctl, epoll).
var kinds = map[uint64]kind{
	0: {"read", byFD}, 1: {"write", byFD}, 2: {"open", byPath}, 3: {"close", byFD}, 4: {"stat", byPath}, 5: {"fstat", byFD},
	6: {"lstat", byPath}, 8: {"lseek", byFD}, 9: {"mmap", byMapped}, 17: {"pread64", byFD}, 18: {"pwrite64", byFD},
	19: {"readv", byFD}, 20: {"writev", byFD}, 21: {"access", byPath}, 40: {"sendfile", byFD}, 73: {"flock", byFD},
	74: {"fsync", byFD}, 75: {"fdatasync", byFD}, 76: {"truncate", byPath}, 77: {"ftruncate", byFD}, 82: {"rename", byTwo},
	83: {"mkdir", byPath}, 84: {"rmdir", byPath}, 86: {"link", byTwo}, 87: {"unlink", byPath}, 88: {"symlink", byTwo},
	89: {"readlink", byPath}, 90: {"chmod", byPath}, 91: {"fchmod", byFD}, 217: {"getdents64", byFD}, 257: {"openat", byAt},
	258: {"mkdirat", byAt}, 262: {"newfstatat", byAt}, 263: {"unlinkat", byAt}, 264: {"renameat", byTwoAt},
	265: {"linkat", byTwoAt}, 267: {"readlinkat", byAt}, 268: {"fchmodat", byAt}, 269: {"faccessat", byAt},
	275: {"splice", byFD}, 280: {"utimensat", byAt}, 285: {"fallocate", byFD}, 316: {"renameat2", byTwoAt},
	326: {"copy_file_range", byFD}, 332: {"statx", byAt}, 437: {"openat2", byAt}, 439: {"faccessat2", byAt},
}
