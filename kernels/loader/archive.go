//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// archive is a compiled package: what the compiler made of its Go files, then
// what the assembler made.
type archive struct {
	objects []*object
	native  bool // it holds objects of a C compiler, too
}

// readArchive reads the archive of a package. mapped leaves it in its file, for
// archives of the build cache, of which little is used; else it is read.
func readArchive(file, pkg string, mapped bool) (*archive, error) {
	b, err := readFile(file, mapped)
	if err != nil {
		return nil, fmt.Errorf("loader: package %s: %w", pkg, err)
	}
	a, err := parseArchive(b, pkg)
	if err != nil {
		return nil, fmt.Errorf("loader: package %s: %s: %w; compile it again", pkg, file, err)
	}
	return a, nil
}

func readFile(file string, mapped bool) ([]byte, error) {
	if !mapped {
		return os.ReadFile(file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err
	}
	return syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE)
}

func parseArchive(b []byte, pkg string) (*archive, error) {
	const magic, entry = "!<arch>\n", 60
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("not an archive")
	}
	a := &archive{}
	for len(rest) > 0 {
		if len(rest) < entry {
			return nil, fmt.Errorf("damaged: it ends after %d bytes", len(b))
		}
		name := strings.TrimSpace(string(rest[:16]))
		size, err := strconv.Atoi(strings.TrimSpace(string(rest[48:58])))
		if err != nil || size < 0 || size > len(rest)-entry {
			return nil, fmt.Errorf("damaged: it ends after %d bytes", len(b))
		}
		data := rest[entry : entry+size]
		rest = rest[min(entry+size+size%2, len(rest)):]
		line, _, _ := bytes.Cut(data[:min(len(data), 1024)], []byte("\n"))
		_, object, _ := bytes.Cut(data, []byte("\n!\n"))
		switch {
		case bytes.HasPrefix(line, []byte("go object ")):
			if err := checkVersion(string(line)); err != nil {
				return nil, err
			}
			if name == "__.PKGDEF" {
				continue // what importers read
			}
			o, err := newObject(object, pkg)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			a.objects = append(a.objects, o)
		case !strings.HasPrefix(name, "preferlinkext") && !strings.HasPrefix(name, "dynimportfail"):
			a.native = true
		}
	}
	if len(a.objects) == 0 {
		return nil, fmt.Errorf("no Go object in it")
	}
	return a, nil
}

// checkVersion checks the first line of an object, as
//
//	go object linux amd64 go1.26.8 GOAMD64=v1 X:regabiwrappers
func checkVersion(line string) error {
	f := strings.Fields(line)
	version, _, _ := strings.Cut(runtime.Version(), " ")
	if len(f) < 5 {
		return fmt.Errorf("damaged: its first line is %q", line)
	}
	if got := f[2] + "/" + f[3]; got != runtime.GOOS+"/"+runtime.GOARCH || f[4] != version {
		return fmt.Errorf("made by %s for %s, want %s for %s/%s as this program", f[4], got, version, runtime.GOOS, runtime.GOARCH)
	}
	return nil
}
