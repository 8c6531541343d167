//go:build !linux || !amd64

package calls

// Run runs a program.
func Run(Program) (End, error) { return End{}, ErrCannot }
