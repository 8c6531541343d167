package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// Listen binds to an address. If its port is taken it takes the next that is free, of twenty.
func Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	host, port, splitErr := net.SplitHostPort(addr)
	n, numberErr := strconv.Atoi(port)
	if splitErr != nil || numberErr != nil {
		return l, err
	}
	for i := 1; i <= 20 && errors.Is(err, syscall.EADDRINUSE); i++ {
		if n+i > 65535 {
			break
		}
		var other net.Listener
		if other, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(n+i))); err == nil {
			return other, nil
		}
	}
	return l, err
}

// Moved reports whether a listener has another port than was asked for, because that was taken.
func Moved(l net.Listener, addr string) bool {
	_, asked, err := net.SplitHostPort(addr)
	_, got, _ := net.SplitHostPort(l.Addr().String())
	n, numberErr := strconv.Atoi(asked)
	return err == nil && numberErr == nil && n != 0 && asked != got
}

// Loopback reports whether only this machine reaches a listener.
func Loopback(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// Address is where a browser on this machine finds the page.
func (s *Server) Address(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	url := "http://" + net.JoinHostPort(host, port) + "/"
	if s.o.Token != "" {
		url += "?token=" + s.o.Token
	}
	return url
}

// Serve answers requests until ctx ends, and then stops at once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err := server.Serve(l)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
