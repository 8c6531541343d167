package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
)

// TestGuard: who does not know the token, calls the server by another name or comes from another page gets nothing.
func TestGuard(t *testing.T) {
	_, server := testServer(t, func(o *Options) { o.Token, o.Names = "secret", []string{"desk"} })
	ask := func(c *http.Client, method, path string, change func(r *http.Request)) (int, string) {
		t.Helper()
		r, err := http.NewRequest(method, server.URL+path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(r)
		}
		a, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, _ := io.ReadAll(a.Body)
		return a.StatusCode, string(body)
	}
	jar, _ := cookiejar.New(nil)
	in, out := &http.Client{Jar: jar}, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"/", "/assets/app.js", "/api/state", "/api/input", "/?token=wrong", "/api/state?token=secret", "/nowhere"} {
		if code, body := ask(out, "GET", path, nil); code != 403 || !strings.Contains(body, "token in the address") {
			t.Errorf("without the token %s: %d %s", path, code, body)
		}
	}
	if code, body := ask(out, "GET", "/", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookie(r), Value: "wrong"}) }); code != 403 {
		t.Errorf("with a wrong cookie: %d %s", code, body)
	}
	a, err := out.Get(server.URL + "/?token=secret&view=layer")
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if c := a.Header.Get("Set-Cookie"); a.StatusCode != 303 || a.Header.Get("Location") != "/?view=layer" || !strings.Contains(c, "SameSite=Strict") || !strings.Contains(c, "HttpOnly") {
		t.Errorf("the token becomes %d %q %q", a.StatusCode, a.Header.Get("Location"), c)
	}
	if code, body := ask(in, "GET", "/?token=secret", nil); code != 200 || !strings.Contains(body, "<title>viz</title>") {
		t.Fatalf("with the token: %d %.80s", code, body)
	}
	for _, c := range []struct {
		what, method, path string
		change             func(r *http.Request)
		want               int
	}{
		{"as it is", "GET", "/api/state", nil, 200},
		{"by a name that was made to mean this machine", "GET", "/api/state", func(r *http.Request) { r.Host = "evil.example" }, 421},
		{"by such a name with a port", "GET", "/", func(r *http.Request) { r.Host = "evil.example:80" }, 421},
		{"by a name that begins like ours", "GET", "/", func(r *http.Request) { r.Host = "localhost.evil.example" }, 421},
		{"by this machine's name, without its cookie", "GET", "/", func(r *http.Request) { r.Host = "DESK:1" }, 403},
		{"from another page", "GET", "/api/state", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
		{"from another port", "GET", "/api/state", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, 403},
		{"from a page in a frame", "GET", "/api/state", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		{"as a picture on another page", "GET", "/api/input", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"by a form on another page", "POST", "/api/pictures", nil, 403},
		{"from the page itself", "GET", "/api/state", func(r *http.Request) { r.Header.Set("Origin", server.URL) }, 200},
		{"by another method", "DELETE", "/api/pictures", func(r *http.Request) { r.Header.Set("X-Viz", "1") }, 405},
		{"for a file of the program", "GET", "/assets/../server.go", nil, 404},
		{"for a file of the machine", "GET", "/assets/..%2f..%2f..%2fetc/passwd", nil, 404},
	} {
		if code, body := ask(in, c.method, c.path, c.change); code != c.want {
			t.Errorf("%s: %d %.100s, want %d", c.what, code, body, c.want)
		}
	}
	r, err := in.Get(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if p := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'self';") || strings.Contains(p, "unsafe") || strings.Contains(p, "*") {
		t.Errorf("the policy is %q", p)
	}
}

// header is a PNG that claims a size and has no pixels.
func header(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, w), h)
	b = append(b, 8, 2, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

// counted is a body without an end that counts what is read of it.
type counted struct{ n atomic.Int64 }

func (c *counted) Read(b []byte) (int, error) { c.n.Add(int64(len(b))); return len(b), nil }

// TestUploads: pictures that are too large, broken or none are refused with the command's sentence, before they cost
// memory; those that can be read stay as long as there is room.
func TestUploads(t *testing.T) {
	s, server := testServer(t, nil)
	post := func(name string, body io.Reader) (int, string) {
		t.Helper()
		r, err := http.NewRequest("POST", server.URL+"/api/pictures?name="+name, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Viz", "1")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err.Error()
		}
		defer a.Body.Close()
		text, _ := io.ReadAll(a.Body)
		return a.StatusCode, string(text)
	}
	for _, c := range []struct {
		name string
		body []byte
		want string
	}{
		{"a.png", header(60_000, 60_000), "60000x60000 pixels, want at most 100 million"},
		{"a.png", header(8000, 8000), "8000 x 8000 pixels, want at most 40 million"},
		{"a.png", header(20, 20), "cannot open a.png"},
		{"a.txt", []byte("no picture"), "cannot open a.txt"},
		{"..%2F..%2Fetc%2Fpasswd%0A%1b[31m", nil, "cannot open passwd__[31m"},
		{"", nil, "cannot open picture"},
	} {
		if code, body := post(c.name, bytes.NewReader(c.body)); code != 422 || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s, want %s", c.name, code, body, c.want)
		}
	}
	endless := &counted{}
	code, body := post("a.png", endless)
	if n := endless.n.Load(); n > maxUpload+8<<20 || code != 0 && (code != 400 || !strings.Contains(body, "more than 64 MB")) {
		t.Errorf("of an endless picture %d MB are read: %d %s", n>>20, code, body)
	}
	_, thumb := fetch(t, server.URL+"/api/thumb?image=2")
	padded := func(n int) io.Reader { return strings.NewReader(thumb + strings.Repeat("\x00", n)) } // what follows a picture is ignored
	for range 5 {
		if code, body := post("large.png", padded(40<<20)); code != 200 {
			t.Fatalf("%d %s", code, body)
		}
	}
	if s.pictures.bytes > maxUploads {
		t.Errorf("%d bytes of pictures are kept", s.pictures.bytes)
	}
	if code, body := fetch(t, server.URL+"/api/classes?image=12"); code != 404 || !strings.Contains(body, "drop it again") {
		t.Errorf("a picture that is forgotten: %d %s", code, body)
	}
	if code, _ := fetch(t, server.URL+"/api/classes?image=16"); code != 200 {
		t.Errorf("the last picture: %d", code)
	}
}

// TestManyClients: 200 at once all get their answers, and what is kept stays within its bound.
func TestManyClients(t *testing.T) {
	s, server := testServer(t, func(o *Options) { o.Memory = 2 << 20 })
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 0}}
	defer client.CloseIdleConnections()
	var wait sync.WaitGroup
	for c := range 200 {
		wait.Go(func() {
			for i, path := range []string{"/api/maps?layer=relu2&image=%d", "/api/spot?image=%d&y=5", "/api/unit?image=%d&unit=relu3:4:2:2"} {
				r, err := client.Get(server.URL + fmt.Sprintf(path, (c+i)%12) + fmt.Sprintf("&client=c%d", c))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(r.Body)
				r.Body.Close()
				if r.StatusCode != 200 {
					t.Errorf("client %d: %d %s", c, r.StatusCode, body)
				}
			}
		})
	}
	wait.Wait()
	if n := s.cache.size(); n > 2<<20 {
		t.Errorf("%d bytes are kept", n)
	}
	if s.work.free != 2 || s.work.queued != 0 || len(s.work.turns) != 0 {
		t.Errorf("at the end %d slots are free, %d jobs wait", s.work.free, s.work.queued)
	}
}

// TestTurns: a client that asks much does not keep another waiting, and may not ask without bound.
func TestTurns(t *testing.T) {
	w := newWork(1)
	ctx := context.Background()
	if err := w.enter(ctx, "first"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var order []string
	var wait sync.WaitGroup
	queue := func(client string, n int) {
		for range n {
			before := func() int { w.mu.Lock(); defer w.mu.Unlock(); return w.queued }()
			wait.Go(func() {
				w.do(ctx, client, func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, client)
					return nil
				})
			})
			for func() int { w.mu.Lock(); defer w.mu.Unlock(); return w.queued }() == before {
				runtime.Gosched()
			}
		}
	}
	queue("greedy", maxEach)
	if err := w.enter(ctx, "greedy"); !errors.Is(err, errBusy) {
		t.Errorf("one more of a client that has %d waiting: %v", maxEach, err)
	}
	queue("modest", 2)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.enter(gone, "gone"); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that is overtaken: %v", err)
	}
	w.leave()
	wait.Wait()
	if order[1] != "modest" && order[0] != "modest" || order[3] != "modest" && order[2] != "modest" {
		t.Errorf("the order is %v", order[:6])
	}
	if w.free != 1 || w.queued != 0 {
		t.Errorf("%d free, %d waiting", w.free, w.queued)
	}
}

// pipes is a network within the program, without buffers: who does not read stops who writes.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestClientThatStopsReading: its scan ends, and the next one's begins.
func TestClientThatStopsReading(t *testing.T) {
	s, _ := testServer(t, nil)
	s.slow = 50 * time.Millisecond
	l := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: s.Handler()}
	go server.Serve(l)
	defer server.Close()
	connect := func(query string) net.Conn {
		mine, theirs := net.Pipe()
		l.conns <- theirs
		fmt.Fprintf(mine, "GET /api/scan?%s HTTP/1.1\r\nHost: localhost\r\n\r\n", query)
		return mine
	}
	stuck := connect("image=1&stride=1&patch=3&method=brute")
	defer stuck.Close()
	bufio.NewReaderSize(stuck, 16).ReadByte() // it has begun
	other := connect("image=2&stride=8")
	defer other.Close()
	text := ""
	b := make([]byte, 4096)
	for !strings.Contains(text, "event: done") {
		n, err := other.Read(b)
		if text += string(b[:n]); err != nil {
			t.Fatalf("the second client got %q: %v", text, err)
		}
	}
}

// TestRandomActions: after thousands of requests in any order nothing has gone wrong, what is kept is within its bound,
// and no goroutine is left behind.
func TestRandomActions(t *testing.T) {
	const limit = 4 << 20
	s, server := testServer(t, func(o *Options) { o.Memory = limit })
	n := 2000
	if testing.Short() {
		n = 200
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	transport := &http.Transport{}
	client := &http.Client{Transport: transport}
	random := func() string {
		layer := pick("conv1", "relu1", "pool1", "relu2", "relu3", "bn4", "relu5", "fc1", "prob", "input", "flat")
		q := fmt.Sprintf("image=%d&layer=%s&map=%d&scale=%s&unit=%s:%d:%d:%d&rule=%s", rng.IntN(13), layer, rng.IntN(30), pick("", "layer", "map"),
			pick("relu1", "relu3", "fc1", "pool2"), rng.IntN(70), rng.IntN(9), rng.IntN(9), pick("deconv", "guided", "gradient", "deconv_leaky"))
		return pick("maps?"+q, "tiles?"+q, "map?"+q, "unit?"+q, "unit?"+q, "thumb?"+q, "classes?"+q, "input?"+q, "graph?open=conv1",
			fmt.Sprintf("spot?image=%d&y=%d&x=%d&patch=%d&fill=%s", rng.IntN(12), rng.IntN(40), rng.IntN(40), 1+rng.IntN(34), pick("mean", "blur", "noise:2", "3")),
			fmt.Sprintf("scan?image=%d&stride=%d&fill=%s", rng.IntN(12), 5+rng.IntN(9), pick("mean", "image")),
			fmt.Sprintf("figure?kind=%s&image=%d&layer=relu2&method=%s&as=%s", pick("activations", "gradcam", "attribution"), rng.IntN(12), pick("saliency", "gradcam"), pick("", "png", "npy", "json")))
	}
	ask := func(give func(ctx context.Context) (context.Context, context.CancelFunc)) {
		ctx, cancel := give(context.Background())
		defer cancel()
		path := random()
		r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := client.Do(r)
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("%s: %v", path, err)
			}
			return
		}
		body, _ := io.ReadAll(a.Body)
		a.Body.Close()
		if a.StatusCode >= 500 || a.StatusCode == 200 && bytes.Contains(body, []byte("event: failed")) {
			t.Errorf("%s: %d %.200s", path, a.StatusCode, body)
		}
	}
	stay := func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
	leave := func(ctx context.Context) (context.Context, context.CancelFunc) { // some go away in the middle
		return context.WithTimeout(ctx, time.Duration(rng.IntN(3000))*time.Microsecond)
	}
	for range 50 {
		ask(stay)
	}
	transport.CloseIdleConnections()
	settled := func() int { // goroutines, once their number does not fall any more
		last := runtime.NumGoroutine()
		for range 200 {
			time.Sleep(10 * time.Millisecond)
			if now := runtime.NumGoroutine(); now < last {
				last = now
			}
		}
		return last
	}
	before := settled()
	for i := range n {
		if i%10 == 9 {
			ask(leave)
		} else {
			ask(stay)
		}
		if used := s.cache.size(); used > limit {
			t.Fatalf("after %d actions %d bytes are kept", i, used)
		}
	}
	transport.CloseIdleConnections()
	if after := settled(); after > before+2 {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before\n%s", after, before, buf[:runtime.Stack(buf, true)])
	}
}

// deep is a network of many layers with names that would harm a page that took them for HTML.
func deep(n int) *model.Network {
	net := &model.Network{Name: `<script>hacked=1</script>"'` + "\n\x1b[31m", Input: model.Input{Name: "input", C: 1, H: 4, W: 4},
		Classes: []string{`<img src=x onerror="hacked=1">`, `"quoted' & \u2028` + "\n", `=cmd|' /C calc'!A0`}}
	last := "input"
	add := func(name string, l model.Layer) {
		net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: []string{last}, Layer: l})
		last = name
	}
	w := tensor.New(3, 1, 3, 3)
	for i := range w.Data {
		w.Data[i] = float32(i%5) - 1.5
	}
	add(`<svg onload="hacked=1">conv`, &model.Conv{Weight: w, Bias: []float32{1, 2, 3}, Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: []int{1, 1, 1, 1}, Groups: 1})
	for i := range n {
		add(fmt.Sprintf("a/../../b.%d\"'<\x1b[0m", i), &model.ReLU{})
	}
	add("pool", &model.GlobalAvgPool{})
	add("flat", &model.Reshape{})
	net.Logits = last
	return net
}

// TestTenThousandLayers: a network of that many layers is laid out and looked at.
func TestTenThousandLayers(t *testing.T) {
	layers := 10_000
	if testing.Short() {
		layers = 2000
	}
	_, server := testServer(t, func(o *Options) {
		o.Nets = []Net{{Session: view.NewSession(o.Nets[0].Session.Engine, deep(layers)), Args: []string{"--model", "deep"}}}
		o.List = nil
	})
	for _, path := range []string{"/api/state", "/api/graph"} {
		if code, body := fetch(t, server.URL+path); code != 200 || strings.Contains(body, "<script>") || strings.Contains(body, "<svg") {
			t.Errorf("%s: %d %.100s", path, code, body)
		}
	}
}
