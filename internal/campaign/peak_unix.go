//go:build unix

package campaign

import (
	"os"
	"runtime"
	"syscall"
)

// PeakBytes is the most memory that a process had resident.
func PeakBytes(s *os.ProcessState) int {
	u, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int(u.Maxrss)
	}
	return int(u.Maxrss) * 1024 // Linux and the BSDs count in KiB
}
