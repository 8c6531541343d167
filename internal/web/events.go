package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// events tells a page about long work as it goes on (server-sent events). A client that stops reading ends the work.
type events struct {
	w      http.ResponseWriter
	slow   time.Duration // that the client may take to read an event
	cancel context.CancelFunc

	mu   sync.Mutex
	last time.Time
	from time.Time
}

// listen begins to tell. The context ends with the client.
func (s *Server) listen(w http.ResponseWriter, r *http.Request) (*events, context.Context) {
	ctx, cancel := context.WithCancel(r.Context())
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	return &events{w: w, slow: s.slow, cancel: cancel, from: time.Now()}, ctx
}

// send tells one event.
func (e *events) send(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c := http.NewResponseController(e.w)
	c.SetWriteDeadline(time.Now().Add(e.slow))
	if _, err = fmt.Fprintf(e.w, "event: %s\ndata: %s\n\n", name, text); err == nil {
		err = c.Flush()
	}
	if err != nil {
		e.cancel()
	}
	return err
}

// end tells how the work ended. The browser would begin it anew if the connection just closed.
func (e *events) end(err error, v any) {
	if err != nil {
		_, body := problem(err)
		e.send("failed", body)
		return
	}
	e.send("done", v)
}

// progress is told at most ten times a second, with the time that is left.
func (e *events) progress(done, total int) {
	e.mu.Lock()
	now := time.Now()
	if now.Sub(e.last) < 100*time.Millisecond && done < total {
		e.mu.Unlock()
		return
	}
	e.last = now
	e.mu.Unlock()
	left := 0.0
	if done > 0 {
		left = now.Sub(e.from).Seconds() * float64(total-done) / float64(done)
	}
	e.send("progress", map[string]any{"done": done, "total": total, "left": left})
}
