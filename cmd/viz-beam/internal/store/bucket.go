// Package store reads pictures from object stores: buckets of S3, Google and Azure, and folders, by one kind of URL,
// their lists with stable numbers, and the tar files that many pictures are packed in.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/gcsblob" // gs://
	_ "gocloud.dev/blob/s3blob"  // s3://
	"gocloud.dev/gcerrors"
)

// Open opens the bucket of a URL without its path: "s3://bucket?region=...".
type Open func(ctx context.Context, url string) (*blob.Bucket, error)

// Place is a part of a bucket: the bucket's URL, and what the keys inside begin with.
type Place struct {
	Bucket string // to open it by; of a folder its path as a file: URL
	Prefix string
	Name   string // the bucket as names of pictures have it, without the settings in the URL
}

// IsURL reports whether a name is a URL of an object store, not of a local file.
func IsURL(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && scheme != "" && !strings.ContainsAny(scheme, `/\.`)
}

// Parse reads "s3://bucket/prefix?region=..." or "file:///folder".
func Parse(name string) (Place, error) {
	u, err := url.Parse(name)
	if err != nil {
		return Place{}, fmt.Errorf("%s: not a URL: %w", name, err)
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || u.Path == "" {
			return Place{}, fmt.Errorf("%s: want file:///FOLDER, with three slashes", name)
		}
		dir := strings.TrimSuffix(u.Path, "/") + "/"
		return Place{Bucket: "file://" + dir, Name: "file://" + strings.TrimSuffix(dir, "/")}, nil
	case "s3", "gs", "azblob", "mem":
	default:
		return Place{}, fmt.Errorf("%s: want s3://, gs://, azblob:// or file://", name)
	}
	if u.Host == "" && u.Scheme != "mem" {
		return Place{}, fmt.Errorf("%s: names no bucket: want %s://BUCKET/PREFIX", name, u.Scheme)
	}
	bucket := url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: u.RawQuery}
	text := bucket.String()
	if u.Host == "" {
		text = u.Scheme + "://"
	}
	return Place{Bucket: text, Prefix: strings.TrimPrefix(u.Path, "/"), Name: u.Scheme + "://" + u.Host}, nil
}

// ParsePictures is Parse for pictures that shall be there: a folder, or one file.
func ParsePictures(name string) (Place, error) {
	p, err := Parse(name)
	dir, local := strings.CutPrefix(p.Bucket, "file://")
	if err != nil || !local {
		return p, err
	}
	info, err := os.Stat(strings.TrimSuffix(dir, "/"))
	if err != nil {
		return p, err
	}
	if !info.IsDir() {
		up, base := path.Split(strings.TrimSuffix(dir, "/"))
		return Place{Bucket: "file://" + up, Prefix: base, Name: "file://" + strings.TrimSuffix(up, "/")}, nil
	}
	return p, nil
}

// OpenBucket is the Open of programs: a folder by file:///FOLDER, a bucket with the credentials that its own tools
// would use.
func OpenBucket(ctx context.Context, name string) (*blob.Bucket, error) {
	if dir, ok := strings.CutPrefix(name, "file://"); ok {
		return folderOf(dir, false)
	}
	b, err := blob.OpenBucket(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// folderOf is a folder as a bucket, made if it is not there and make says so. Files appear whole or not at all.
func folderOf(dir string, make bool) (*blob.Bucket, error) {
	b, err := fileblob.OpenBucket(filepath.FromSlash(dir), &fileblob.Options{CreateDir: make, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return b, nil
}

// Work is where the parts of a job are kept: a URL, or the path of a folder, which is made.
func Work(ctx context.Context, name string, open Open) (*blob.Bucket, error) {
	if !IsURL(name) {
		return folderOf(name, true)
	}
	if dir, ok := strings.CutPrefix(name, "file://"); ok {
		return folderOf(dir, true)
	}
	place, err := Parse(name)
	if err != nil {
		return nil, err
	}
	b, err := open(ctx, place.Bucket)
	if err != nil {
		return nil, err
	}
	if place.Prefix != "" {
		b = blob.PrefixedBucket(b, strings.TrimSuffix(place.Prefix, "/")+"/")
	}
	return b, nil
}

// Broken is an error of the way to a store, not of an object: what could not be read now may be read later.
type Broken struct{ Err error }

func (e *Broken) Error() string { return e.Err.Error() }
func (e *Broken) Unwrap() error { return e.Err }

// final is an error that does not go away.
type final struct{ error }

// passing reports whether an error may go away by itself.
func passing(err error) bool {
	switch gcerrors.Code(err) {
	case gcerrors.NotFound, gcerrors.PermissionDenied, gcerrors.InvalidArgument, gcerrors.FailedPrecondition:
		return false
	}
	_, is := errors.AsType[final](err)
	return !is && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission)
}

// tries is how often an object is asked for, and pause how long is waited before the second time.
const (
	tries = 4
	pause = 200 * time.Millisecond
)

// read reads an object, or size bytes of it from at on; size -1: all. What may go away by itself is tried again, and
// is a *Broken in the end.
func read(ctx context.Context, b *blob.Bucket, key string, at, size int64) ([]byte, error) {
	wait := pause
	for n := 1; ; n++ {
		text, err := readOnce(ctx, b, key, at, size)
		switch {
		case err == nil:
			return text, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !passing(err):
			return nil, err
		case n == tries:
			return nil, &Broken{err}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
		wait *= 4
	}
}

// maxObject is the largest picture that is read, in bytes.
const maxObject = 1 << 28

func readOnce(ctx context.Context, b *blob.Bucket, key string, at, size int64) ([]byte, error) {
	r, err := b.NewRangeReader(ctx, key, at, size, nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > maxObject || size < 0 && r.Size() > maxObject {
		return nil, final{fmt.Errorf("more than %d MB", maxObject>>20)}
	}
	text, err := io.ReadAll(io.LimitReader(r, maxObject))
	if err == nil && size >= 0 && int64(len(text)) != size {
		err = final{fmt.Errorf("%d bytes from byte %d on, want %d: the file is another than when it was listed", len(text), at, size)}
	}
	return text, err
}
