package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model/train"
)

// trainLog is the log: a line for each start (command and options), then one
// for each report, each written at once. What could not be written is tried again with the next line.
type trainLog struct {
	file imageio.LineFile
	size int64
	rest []byte // of lines that could not be written
	bad  error  // of a line that cannot be one
}

// LogError says that the log of a training cannot be written.
type LogError struct{ Err error }

func (e *LogError) Error() string { return "log: " + e.Err.Error() }
func (e *LogError) Unwrap() error { return e.Err }

// Hint says what can be done.
func (e *LogError) Hint() string { return "choose another place with --log" }

// linesBefore are the lines of a log up to a step, as they are.
func linesBefore(old []byte, first int) (keep []byte) {
	for line := range bytes.Lines(old) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		var l struct {
			Step int `json:"step"`
			From int `json:"from_step"`
		}
		if json.Unmarshal(line, &l) == nil && l.Step <= first && l.From < first {
			keep = append(append(keep, line...), '\n')
		}
	}
	return keep
}

// openLog opens the log for appending. Lines of steps that a resumed training
// takes again are dropped; a new training starts a new log.
func openLog(path string, first int) (*trainLog, error) {
	var keep []byte
	if first > 0 {
		old, err := imageio.ReadPlain(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		keep = linesBefore(old, first)
	}
	if err := imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(keep); return err }); err != nil {
		return nil, &LogError{err}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, &LogError{err}
	}
	return &trainLog{file: f, size: int64(len(keep))}, nil
}

func (l *trainLog) Close() error { return l.file.Close() }

// write writes more, after what is left.
func (l *trainLog) write(more []byte) error {
	l.rest = append(l.rest, more...)
	n, err := imageio.AppendLines(l.file, l.size, l.rest)
	l.size, l.rest = l.size+int64(n), l.rest[n:]
	if err != nil {
		return &LogError{err}
	}
	return nil
}

// last makes all lines last.
func (l *trainLog) last() error {
	if l.bad != nil {
		return l.bad
	}
	if len(l.rest) > 0 {
		if err := l.write(nil); err != nil {
			return err
		}
	}
	if err := l.file.Sync(); err != nil {
		return &LogError{err}
	}
	return nil
}

func (l *trainLog) line(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		l.bad = fmt.Errorf("log: %w", err)
		return l.bad
	}
	return l.write(append(text, '\n'))
}

func (l *trainLog) report(p Progress) error {
	line := map[string]any{"step": p.Step, "epoch": p.Epoch, "images": p.Images, "loss": p.Loss, "rate": p.Rate,
		"images_per_second": math.Round(p.Speed), "seconds": math.Round(p.Elapsed.Seconds()*10) / 10}
	for name, s := range map[string]*train.Score{"train": p.Train, "test": p.Test} {
		if s != nil {
			line[name+"_accuracy"], line[name+"_loss"] = s.Accuracy, finite(s.Loss)
		}
	}
	return l.line(line)
}
