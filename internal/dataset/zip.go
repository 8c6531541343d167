package dataset

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
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
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, plainly(err))
	}
	return readZip(ctx, &z.Reader, info.Size(), name)
}

// readZip is readZipFile for an archive of so many bytes that is open. What it says of its members is looked at before
// any is unpacked.
func readZip(ctx context.Context, z *zip.Reader, stored int64, name string) (*source, error) {
	s := &source{root: name, archive: true}
	seen := map[string]int{}
	limit := min(unpacked(stored), maxHeld)
	var held int64
	var members []*zip.File
	for _, m := range z.File {
		member := memberName(m)
		if !m.Mode().IsRegular() || !wanted(member) || slices.ContainsFunc(strings.Split(member, "/"), hidden) {
			continue
		}
		size := int64(min(m.UncompressedSize64, 1<<62))
		if held = min(held+size, 1<<62); held > limit || size > unpacked(int64(min(m.CompressedSize64, 1<<62))) {
			return nil, fmt.Errorf("%s: %s: %d bytes packed, %d unpacked, %d with those before it, want at most %d times as many and %d in all: a zip bomb?", name, member,
				m.CompressedSize64, m.UncompressedSize64, held, maxRatio, limit)
		}
		if isPicture(member) && size > maxPicture {
			return nil, fmt.Errorf("%s: %s: got %d bytes, want at most %d", name, member, size, maxPicture)
		}
		members = append(members, m)
	}
	for _, m := range members {
		member, size := memberName(m), int64(m.UncompressedSize64)
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

// memberName is the name of a member below the archive, wherever it says that it belongs.
func memberName(m *zip.File) string {
	return strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(m.Name, `\`, "/")), "/")
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
