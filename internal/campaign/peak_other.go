//go:build !unix

package campaign

import "os"

// PeakBytes is not known here.
func PeakBytes(*os.ProcessState) int { return 0 }
