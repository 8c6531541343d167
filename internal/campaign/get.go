package campaign

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/deconvnet/viz/internal/dataset"
)

// GetArgument is the first argument of a campaign that runs itself instead of viz data get.
const GetArgument = "get"

// Get is viz data get into a folder, of two files that a server of its own has, which sends them slowly if there is a second
// argument: in pieces, for a fifth of a second each. It returns the exit code.
func Get(args []string) int {
	r := rand.New(rand.NewPCG(3, 4))
	contents := map[string][]byte{}
	var files []dataset.RemoteFile
	for _, name := range []string{"images.gz", "labels.gz"} {
		b := make([]byte, 100_000)
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		contents["/"+name] = b
		files = append(files, dataset.RemoteFile{Name: name, MD5: fmt.Sprintf("%x", md5.Sum(b)), Size: int64(len(b))})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if len(args) > 1 {
			w = slow{w}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(contents[r.URL.Path]))
	}))
	defer server.Close()
	err := dataset.Get(context.Background(), "mnist", dataset.GetOptions{CacheDir: args[0], Base: server.URL, Files: files})
	if err != nil {
		fmt.Fprintln(os.Stderr, "viz: error:", err)
		return 1
	}
	return 0
}

// slow sends what is written in pieces, with a while between them.
type slow struct{ http.ResponseWriter }

func (s slow) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		var k int
		k, err = s.ResponseWriter.Write(b[:min(len(b), 5000)])
		http.NewResponseController(s.ResponseWriter).Flush()
		n, b = n+k, b[k:]
		time.Sleep(10 * time.Millisecond)
	}
	return n, err
}
