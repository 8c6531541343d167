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

// Get is viz data get into a folder, of two files that a server of its own has. It returns the exit code.
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
