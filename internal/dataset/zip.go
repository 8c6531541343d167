package dataset

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// readZipFile reads the members of an archive that may matter into memory, unpacked.
func readZipFile(ctx context.Context, name string) (*source, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, plainly(err))
	}
	defer z.Close()
	return readZip(ctx, &z.Reader, name)
}

// readZip is readZipFile for an archive that is open.
func readZip(ctx context.Context, z *zip.Reader, name string) (*source, error) {
	s := &source{root: name, archive: true}
	seen := map[string]int{}
	var held int64
	for _, m := range z.File {
		member := strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(m.Name, `\`, "/")), "/")
		if !m.Mode().IsRegular() || !wanted(member) || slices.ContainsFunc(strings.Split(member, "/"), hidden) {
			continue
		}
		size := int64(min(m.UncompressedSize64, 1<<62))
		if held += size; held > maxHeld || size > unpacked(int64(min(m.CompressedSize64, 1<<62))) {
			return nil, fmt.Errorf("%s: %s: %d bytes packed, %d unpacked, want at most %d times as many and %d in all: a zip bomb?", name, member,
				m.CompressedSize64, m.UncompressedSize64, maxRatio, int64(maxHeld))
		}
		if isPicture(member) && size > maxPicture {
			return nil, fmt.Errorf("%s: %s: got %d bytes, want at most %d", name, member, size, maxPicture)
		}
		mem, err := readZipMember(ctx, m, size)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, member, err)
		}
		f := file{path: member, size: size, mem: mem}
		if i, ok := seen[member]; ok {
			s.files[i] = f
		} else {
			seen[member] = len(s.files)
			s.files = append(s.files, f)
		}
	}
	s.sort()
	return s, nil
}

// readZipMember reads a member to its end, where its checksum is compared.
func readZipMember(ctx context.Context, m *zip.File, size int64) ([]byte, error) {
	if m.Flags&1 != 0 {
		return nil, fmt.Errorf("it is encrypted")
	}
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	st := &stream{Reader: r, bound: size, closer: r, ctx: ctx}
	mem, err := readN(st, size)
	if err != nil {
		return nil, fmt.Errorf("got %d bytes, want %d: %w", len(mem), size, err)
	}
	if n, err := io.ReadFull(st, make([]byte, 1)); n > 0 || err != io.EOF {
		return nil, fmt.Errorf("damaged behind %d bytes: %v", size, err)
	}
	return mem, nil
}
