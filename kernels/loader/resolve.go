//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"fmt"
	"strings"
)

// resolve finds the name of what an object refers to, and its definition if it is
// in an object of a package known.
func (l *Loader) resolve(o *object, t target) (name string, abi uint16, d symbol, err error) {
	switch t.pkg {
	case pkgInvalid:
		return "", 0, symbol{}, nil
	case pkgSelf:
		d = symbol{o, t.sym}
	case pkgHashed64:
		d = symbol{o, o.firstHashed64() + t.sym}
	case pkgHashed:
		d = symbol{o, o.firstHashed() + t.sym}
	case pkgNone:
		s := symbol{o, o.firstNonpkg() + t.sym}
		if s.i < o.numDefs() {
			d = s
		}
		return s.name(), s.abi(), d, nil
	case pkgBuiltin:
		name, abi = builtin(t.sym)
		return name, abi, symbol{}, nil
	default:
		a, err := l.archive(o.packageAt(t.pkg))
		if err != nil {
			return "", 0, symbol{}, err
		}
		d = symbol{a.objects[0], t.sym}
	}
	return d.name(), d.abi(), d, nil
}

// linknamed are packages that define symbols of others, by //go:linkname.
var linknamed = strings.Fields(`runtime internal/runtime/maps internal/runtime/atomic internal/runtime/syscall/linux
	internal/runtime/cgroup internal/runtime/gc internal/synctest internal/sync
	syscall sync sync/atomic time os os/signal internal/poll internal/godebug internal/cpu internal/bytealg internal/syscall/unix
	math math/big math/rand math/rand/v2 maps crypto/internal/sysrand crypto/internal/fips140deps/godebug crypto/internal/entropy reflect net runtime/debug
	runtime/metrics runtime/pprof runtime/trace unique weak iter`)

// search looks in archives for the definition of a symbol that the program lacks:
// in the object's package, in that of the name, in those that define what others
// declare, and in all that the package imports, where what is generic has been
// made for some types.
func (l *Loader) search(from *object, name string, abi uint16) (symbol, error) {
	packages := []string{from.pkg}
	if p := l.packageOf(name); p != "" && p != from.pkg {
		packages = append(packages, p)
	}
	for _, p := range append(packages, linknamed...) {
		if l.files[p] == "" && l.archives[p] == nil {
			continue
		}
		a, err := l.archive(p)
		if err != nil {
			return symbol{}, err
		}
		for _, o := range a.objects {
			for _, i := range o.names()[name] {
				if d := (symbol{o, i}); d.abi() == abi || !d.text() {
					return d, nil
				}
			}
		}
	}
	seen := map[string]bool{from.pkg: true}
	for todo := []*object{from}; len(todo) > 0; todo = todo[1:] {
		for _, p := range todo[0].imports() {
			if seen[p.path] || l.files[p.path] == "" {
				continue
			}
			seen[p.path] = true
			a, err := l.archive(strings.Clone(p.path))
			if err != nil {
				return symbol{}, err
			}
			for _, o := range a.objects {
				for i := range o.numDefs() {
					if d := (symbol{o, i}); d.name() == name && (d.abi() == abi || !d.text()) {
						return d, nil
					}
				}
			}
			todo = append(todo, a.objects...)
		}
	}
	return symbol{}, fmt.Errorf("loader: package %s needs %s: it is not in the program, nor in the archive of a package that it imports", from.pkg, name)
}

// packageOf is the package whose name begins a symbol's.
func (l *Loader) packageOf(name string) string {
	name = strings.TrimPrefix(name, "type:")
	name = strings.TrimPrefix(name, ".eq.")
	name = strings.TrimPrefix(name, ".hash.")
	name = strings.TrimLeft(name, "*[]")
	name, _, _ = strings.Cut(name, "[")
	for i := strings.LastIndexByte(name, '/') + 1; i < len(name); i++ {
		if name[i] == '.' {
			if p := strings.ReplaceAll(name[:i], "%2e", "."); l.files[p] != "" {
				return p
			}
		}
	}
	return ""
}

// private reports whether each object has a symbol of its own by that name, and
// none need share it. Static variables are shared: those of a package that was
// loaded in part hold the values that its initialization gave them.
func private(name string, d symbol) bool {
	if name == "" || d.o != nil && d.abi() == abiStatic && !d.writable() {
		return true
	}
	for _, p := range []string{"type:.namedata.", "type:.importpath.", "runtime.gcbits.", "gclocals·", "$f", "$i"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return strings.HasPrefix(name, "go:") && !strings.HasPrefix(name, "go:itab.") && !strings.HasPrefix(name, "go:map.")
}

// key is a symbol's name among those loaded. A function in assembly and the one
// that calls it with Go's registers have the same name.
func key(name string, abi uint16) string {
	if abi != abiInternal {
		return name
	}
	return name + "<1>"
}

// known is the address of a symbol that has been loaded or is the program's, or 0.
// d is its definition, if there is one.
func (l *Loader) known(name string, abi uint16, d symbol) uintptr {
	if d.o != nil && private(name, d) {
		return 0
	}
	own := d.o != nil && d.o.pkg == l.cell && !d.dupok()
	if a := l.addr[key(name, abi)]; a != 0 && (!own || l.isCarried(name)) {
		return a
	}
	if own {
		return 0
	}
	// The program's table has name for one ABI; where it has both, name is Go's and
	// name.abi0 the other.
	m := mangle(name)
	abi0 := l.program.addr[m+".abi0"]
	switch {
	case d.o != nil && d.abiWrapper() && abi == 0:
		return abi0
	case d.o != nil && d.abiWrapper() && abi0 == 0:
		return 0
	case abi != abiInternal && abi0 != 0:
		return abi0
	}
	return l.program.addr[m]
}

// isCarried reports whether an earlier cell has made a symbol that this one
// declares again: a variable, or a type and what belongs to it.
func (l *Loader) isCarried(name string) bool {
	if t, ok := strings.CutPrefix(name, "type:"); ok {
		name = strings.TrimPrefix(strings.TrimLeft(t, "*"), ".eq.")
	}
	name, ok := strings.CutPrefix(name, l.cell+".")
	return ok && l.carried[name]
}
