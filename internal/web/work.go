package web

import (
	"context"
	"errors"
	"sync"
)

// work bounds what is computed at once. The rest waits, client by client in turn, so that one who asks much does not
// keep the others waiting; of what waits there is a bound, too.
type work struct {
	mu      sync.Mutex
	free    int                  // slots
	waiting map[string][]*ticket // by client, first come first
	turns   []string             // clients with something waiting, the next first
	queued  int
}

// ticket is one job that waits. turn is closed when it may begin.
type ticket struct{ turn chan struct{} }

const (
	maxWaiting = 2000 // in all
	maxEach    = 64   // of one client
)

// errBusy says that too much is waiting.
var errBusy = errors.New("too much is being computed: try again in a moment")

func newWork(slots int) *work { return &work{free: slots, waiting: map[string][]*ticket{}} }

// do runs f when it is the client's turn, unless ctx ends first.
func (w *work) do(ctx context.Context, client string, f func(context.Context) error) error {
	if err := w.enter(ctx, client); err != nil {
		return err
	}
	defer w.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	return f(ctx)
}

func (w *work) enter(ctx context.Context, client string) error {
	w.mu.Lock()
	if w.free > 0 {
		w.free--
		w.mu.Unlock()
		return nil
	}
	if w.queued >= maxWaiting || len(w.waiting[client]) >= maxEach {
		w.mu.Unlock()
		return errBusy
	}
	t := &ticket{turn: make(chan struct{})}
	if len(w.waiting[client]) == 0 {
		w.turns = append(w.turns, client)
	}
	w.waiting[client] = append(w.waiting[client], t)
	w.queued++
	w.mu.Unlock()
	select {
	case <-t.turn:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-t.turn: // both at once: the slot is passed on
		w.next()
	default:
		w.drop(client, t)
	}
	return ctx.Err()
}

// drop takes a ticket out of the queue.
func (w *work) drop(client string, t *ticket) {
	list := w.waiting[client]
	for i := range list {
		if list[i] == t {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	w.queued--
	w.waiting[client] = list
	if len(list) > 0 {
		return
	}
	delete(w.waiting, client)
	for i, c := range w.turns {
		if c == client {
			w.turns = append(w.turns[:i:i], w.turns[i+1:]...)
			return
		}
	}
}

func (w *work) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next()
}

// next hands a slot to the client whose turn it is.
func (w *work) next() {
	if len(w.turns) == 0 {
		w.free++
		return
	}
	client := w.turns[0]
	t := w.waiting[client][0]
	w.turns = append(w.turns[1:], client)
	w.drop(client, t)
	close(t.turn)
}
