// Package web is the page of viz serve, on which a person looks around in trained networks: a server, and what the
// browser runs. It translates queries to requests of package view and results to JSON, PNG and events; nothing is
// computed or drawn here.
//
//	s, err := web.New(web.Options{Nets: []web.Net{{Session: session}}, List: list})
//	defer s.Close()
//	http.Serve(listener, s.Handler())
//
// guard.go says who may ask, work.go what is done at once and what waits, cache.go what is kept and how much of it.
// Pictures are addressed by number, never by path.
package web
