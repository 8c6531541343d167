package web

import (
	"container/list"
	"context"
	"errors"
	"strings"
	"sync"
)

// cache keeps results within a number of bytes: those that were not used for longest are forgotten. What is asked for
// by several at once is computed once.
type cache struct {
	limit int

	mu      sync.Mutex
	used    int
	entries map[string]*entry
	order   list.List // of *entry, last used first
}

// entry is a result, or one that is being computed.
type entry struct {
	key   string
	ready chan struct{} // closed when it is computed, or has failed
	value any
	bytes int
	err   error
	at    *list.Element
}

func newCache(limit int) *cache { return &cache{limit: limit, entries: map[string]*entry{}} }

// get returns what is kept under a key, or computes it. Failures are not kept.
func get[T any](ctx context.Context, c *cache, key string, compute func() (T, int, error)) (T, error) {
	for {
		c.mu.Lock()
		e := c.entries[key]
		if e == nil {
			e = &entry{key: key, ready: make(chan struct{})}
			c.entries[key] = e
			c.mu.Unlock()
			return fill(c, e, compute)
		}
		if e.at != nil {
			c.order.MoveToFront(e.at)
		}
		c.mu.Unlock()
		var zero T
		select {
		case <-e.ready:
		case <-ctx.Done():
			return zero, ctx.Err()
		}
		if e.err == nil {
			return e.value.(T), nil
		}
		if !errors.Is(e.err, context.Canceled) || ctx.Err() != nil {
			return zero, e.err
		}
		// Whoever computed it has given up: compute it ourselves.
	}
}

func fill[T any](c *cache, e *entry, compute func() (T, int, error)) (T, error) {
	var value T
	bytes, err := 0, errors.New("the computation ended early")
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		e.value, e.bytes, e.err = value, bytes, err
		if err != nil || bytes > c.limit {
			delete(c.entries, e.key)
		} else {
			c.used += bytes
			e.at = c.order.PushFront(e)
			c.trim()
		}
		close(e.ready)
	}()
	value, bytes, err = compute()
	return value, err
}

// trim forgets what was not used for longest.
func (c *cache) trim() {
	for c.used > c.limit {
		e := c.order.Remove(c.order.Back()).(*entry)
		c.used -= e.bytes
		delete(c.entries, e.key)
	}
}

// forget drops the results whose keys begin so.
func (c *cache) forget(prefix string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.entries {
		if e.at != nil && strings.HasPrefix(key, prefix) {
			c.order.Remove(e.at)
			c.used -= e.bytes
			delete(c.entries, key)
		}
	}
}

// has reports whether a result is kept.
func (c *cache) has(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	return e != nil && e.at != nil
}

// size is the bytes in use.
func (c *cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}
