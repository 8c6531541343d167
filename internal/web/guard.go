package web

import (
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
	"time"
)

// guard lets only those in who have the token, ask this server by its own name, and come from its own page.
//
// Host: a page elsewhere whose name is made to mean this machine (DNS rebinding) still says its own name; so only
// localhost, this machine's name and numbers are answered. Origin and Sec-Fetch-Site: another page may not ask in the
// user's name. Token: nor may another user of this machine. It comes in the printed address and becomes a cookie, which
// other sites' pages cannot make the browser send (SameSite=Strict).
type guard struct {
	token string // "": none is needed
	names []string
}

const policy = "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

func (g guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !g.known(r.Host):
			refuse(w, http.StatusMisdirectedRequest, "this server does not answer to the name in the address: use localhost or the printed address")
		case foreign(r):
			refuse(w, http.StatusForbidden, "the request comes from another page")
		case g.enter(w, r):
		case !g.may(r):
			refuse(w, http.StatusForbidden, "this page needs the token in the address that viz serve printed: open that address")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, code int, text string) {
	if code == http.StatusForbidden || code == http.StatusMisdirectedRequest {
		w.Header().Set("Connection", "close") // nothing more is read
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	w.Write([]byte(text + "\n"))
}

// known reports whether a Host header names this machine by number or by one of its own names.
func (g guard) known(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || net.ParseIP(host) != nil {
		return true
	}
	for _, name := range g.names {
		if name != "" && host == strings.ToLower(name) {
			return true
		}
	}
	return false
}

// foreign reports whether another page made the request.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		// A link that somebody follows to the page itself is fine.
		return r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate"
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		return origin != "http://"+r.Host
	}
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("X-Viz") == ""
}

// cookie is its name: cookies do not know ports, so that it says which.
func cookie(r *http.Request) string {
	_, port, _ := net.SplitHostPort(r.Host)
	return "viz-" + port
}

// enter turns a token in the address into a cookie.
func (g guard) enter(w http.ResponseWriter, r *http.Request) bool {
	q := r.URL.Query()
	if g.token == "" || r.URL.Path != "/" || !q.Has("token") {
		return false
	}
	if !g.same(q.Get("token")) {
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: cookie(r), Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		MaxAge: int((30 * 24 * time.Hour).Seconds())})
	q.Del("token")
	to := "/"
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return true
}

func (g guard) may(r *http.Request) bool {
	if g.token == "" {
		return true
	}
	c, err := r.Cookie(cookie(r))
	return err == nil && g.same(c.Value)
}

func (g guard) same(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(g.token)) == 1
}
