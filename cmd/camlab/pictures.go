package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// picture is a picture from disk: a file, or a part of a tar.
type picture struct {
	name string // as people know it: without ending, and with the folders below what was asked for
	file string // its path, in a tar that in it
	tar  *tarFile
	at   int64 // in the tar, uncompressed
	size int64
	cls  int // its class, -1 where none is known
}

// path is where a picture is, for people.
func (p picture) path() string {
	if p.tar != nil {
		return p.tar.path + "/" + p.file
	}
	return p.file
}

// pictures are a part of the pictures that the arguments name. What is no picture is
// found by its first bytes, before anything is computed, except in a tar. They are prepared
// for the network.
func (o *explainFlags) pictures(m *model, args []string, stdin io.Reader, p part) (*subjects, error) {
	list := &pictureList{classes: m.net.Classes, out: o.out, null: o.null}
	for _, arg := range args {
		if err := list.add(arg, stdin); err != nil {
			return nil, err
		}
	}
	if err := list.tellApart(); err != nil { // in all parts, so that their pictures can be put together
		return nil, err
	}
	names := make([]string, len(list.pictures))
	for i, picture := range list.pictures {
		names[i] = picture.name
	}
	pictures, err := cut(list.pictures, p)
	if err != nil {
		return nil, err
	}
	s := &subjects{}
	if s.files, err = cut(fileNames(names, maxImageName, "/", "_"), p); err != nil {
		return nil, err
	}
	s.files, pictures = slices.Clone(s.files), slices.Clone(pictures) // the other parts' need no memory
	if slices.ContainsFunc(pictures, func(p picture) bool { return p.cls >= 0 || p.tar != nil }) {
		for _, picture := range pictures {
			s.labels = append(s.labels, picture.cls)
		}
	}
	if s.identity, err = o.photos.identify(pictures); err != nil {
		return nil, err
	}
	s.describe = func(i int) explained {
		e := explained{Name: valid(pictures[i].name), File: valid(pictures[i].path())}
		if c := pictures[i].cls; c >= 0 {
			e.Label = m.net.Classes[c]
		}
		return e
	}
	var last *tarFile
	s.fetch = func(i int) func() (seen, error) {
		picture := pictures[i]
		if last != nil && last != picture.tar {
			last.close()
		}
		if last = picture.tar; last == nil {
			return func() (seen, error) { return o.photos.read(picture.file, m) }
		}
		return o.photos.fetch(picture, m)
	}
	return s, nil
}

// identify returns what stands for pictures and what is in them, or an error that lists
// the files that are none. The tars were read when their pictures were listed.
func (p *photoFlags) identify(pictures []picture) (string, error) {
	type stamp struct{ size, time int64 }
	stamps := make([]stamp, len(pictures))
	bad := make(map[int]error)
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(8) // many files of a network's file system are waited for, not computed
	for i, picture := range pictures {
		if picture.tar != nil {
			stamps[i] = stamp{picture.tar.size, picture.tar.time}
			continue
		}
		group.Go(func() error {
			err := p.check(picture.file)
			info, statErr := os.Stat(picture.file)
			if err == nil {
				err = statErr
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				bad[i] = err
				return nil
			}
			stamps[i] = stamp{info.Size(), info.ModTime().UnixNano()}
			return nil
		})
	}
	_ = group.Wait()
	var all []string
	for i := range pictures {
		if err := bad[i]; err != nil && len(all) < 10 {
			all = append(all, err.Error())
		}
	}
	switch len(bad) {
	case 0:
	case 1:
		return "", errors.New(all[0])
	default:
		return "", fmt.Errorf("explain: %d of %d files cannot be used, want them elsewhere:\n%s", len(bad), len(pictures), strings.Join(all, "\n"))
	}
	sum := sha256.New()
	for i, picture := range pictures {
		fmt.Fprintf(sum, "%q %d %d", picture.path(), stamps[i].size, stamps[i].time)
		if picture.tar != nil {
			fmt.Fprint(sum, " ", picture.at, picture.size, picture.cls)
		}
		fmt.Fprintln(sum)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}

// fetch gets the bytes of a picture in a tar; what it returns prepares it.
func (p *photoFlags) fetch(picture picture, m *model) func() (seen, error) {
	o, err := p.options()
	var data []byte
	if err == nil {
		data, err = picture.tar.read(picture, 8*int64(o.MaxPixels)+8<<20) // more than its pixels, and profiles and thumbnails
	}
	return func() (seen, error) {
		if err != nil {
			return seen{}, fmt.Errorf("explain: %s: %w", picture.path(), err)
		}
		photo, err := o.Decode(picture.path(), bytes.NewReader(data))
		if err != nil {
			return seen{}, err
		}
		return see(photo, m)
	}
}
