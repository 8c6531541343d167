//go:build !unix

package main

import "os"

// peakBytes is not known here.
func peakBytes(*os.ProcessState) int { return 0 }
