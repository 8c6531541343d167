package images

import (
	"context"
	"fmt"
	"os"

	"github.com/deconvnet/viz/internal/imageio"
)

// MemoryError says that a picture takes more memory than there may be. Both numbers are bytes.
type MemoryError struct {
	Name        string
	Need, Limit int
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s takes %d MB of memory to read, %d MB are allowed", e.Name, (e.Need+999_999)/1_000_000, e.Limit/1_000_000)
}

// need is what is known of a picture before it is decoded, and the bytes of its file that are read in one piece.
type need struct {
	imageio.Header
	file int
}

// fileNeed is what the picture file of an item needs; ok is false if it is no such file or cannot be read.
func fileNeed(item Item) (need, bool) {
	if item.array || item.Name == "stdin" {
		return need{}, false
	}
	f, _, err := imageio.OpenPlain(item.Name)
	if err != nil {
		return need{}, false
	}
	defer f.Close()
	h, err := imageio.ReadHeader(f, item.Name)
	return need{Header: h}, err == nil
}

// smallEnough refuses an array file that takes more than so many bytes; 0: any. Numbers of other kinds become float32.
func smallEnough(path string, memory int) error {
	info, err := os.Stat(path)
	if err != nil || memory == 0 || 2*info.Size() <= int64(memory) {
		return nil // what is wrong with it is said when it is read
	}
	return &MemoryError{path, int(2 * info.Size()), memory}
}

// Largest is the most bytes that loading one of the images takes beside what the list holds already, and the image's
// name. It reads the headers of picture files; one that cannot be read takes nothing.
func (in *Inputs) Largest(ctx context.Context) (bytes int, name string, err error) {
	if in.w > 0 && in.h > 0 { // all are alike
		bytes = 4*in.w*in.h + in.Net.Preprocess.Memory(in.w, in.h, false, in.Net.Input)
	}
	for i := range in.Items {
		if err := ctx.Err(); err != nil {
			return 0, "", err
		}
		if in.need == nil {
			break
		}
		n, ok := in.need(i)
		if !ok {
			continue
		}
		// What decoding needs beside the picture is free again when it is resized.
		all := max(n.Memory, 4*n.Width*n.Height+in.Net.Preprocess.Memory(n.Width, n.Height, n.Clear, in.Net.Input)) + n.file
		if all > bytes {
			bytes, name = all, in.Items[i].Name
		}
	}
	return bytes, name, nil
}
