//go:build !unix

package hostile

import "time"

var began = time.Now()

// processor is the time since the process began: what it has computed is not known here.
func processor() time.Duration { return time.Since(began) }
