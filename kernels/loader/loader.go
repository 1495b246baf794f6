//go:build linux && amd64 && go1.26 && !go1.27

package loader

import (
	"fmt"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// Loader loads packages. Its methods may be called by several goroutines.
type Loader struct {
	mu       sync.Mutex
	files    map[string]string   // archives by package
	archives map[string]*archive // those that have been opened
	program  *program
	modules  *modules

	addr     map[string]uintptr  // of what has been loaded, by key
	mentions map[string][]string // names of cells: keys that have them
	vars     map[string]variable // of cells
	inited   map[string][8]byte  // packages loaded whole, with the hash of what they export
	tasks    []uintptr           // functions that initialize them, still to be run

	// Of the cell that is being loaded: the path, and what earlier ones declared.
	cell    string
	carried map[string]bool

	code, data arena
}

// variable is a variable of a cell.
type variable struct{ addr, typ uintptr }

// New reads the running program's symbol table. packages are the archives of
// compiled packages by import path: those that the program has, as the Go
// command made them when it built the program, and others.
func New(packages map[string]string) (*Loader, error) {
	p, err := readProgram()
	if err != nil {
		return nil, err
	}
	l := &Loader{
		files: maps.Clone(packages), archives: make(map[string]*archive), program: p,
		addr: make(map[string]uintptr), mentions: make(map[string][]string), vars: make(map[string]variable), inited: make(map[string][8]byte),
	}
	if l.files == nil {
		l.files = make(map[string]string)
	}
	if l.modules, err = l.newModules(); err != nil {
		return nil, err
	}
	return l, nil
}

// AddPackages adds archives.
func (l *Loader) AddPackages(packages map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, file := range packages {
		if l.files[p] != file {
			delete(l.archives, p)
		}
		l.files[p] = file
	}
}

// LoadCell loads a cell and returns the function that runs it. That function
// first initializes the packages that the cell uses and the program lacked. If
// there is an error, nothing has changed for later cells.
func (l *Loader) LoadCell(c Cell) (run func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cell = c.Package
	l.carried = make(map[string]bool)
	for _, n := range c.Carried {
		l.carried[n] = true
	}
	old := l.forget(c.Declared)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // an archive that is cut while it is mapped
	defer func() {
		if p := recover(); p != nil { // indices of a damaged archive
			err = fmt.Errorf("loader: %s: damaged: %v; compile it again", c.Archive, p)
		}
		delete(l.archives, c.Package) // its text is not needed again
		if err != nil {
			l.remember(old)
			run = nil
		}
	}()
	a, err := readArchive(c.Archive, c.Package, false)
	if err != nil {
		return nil, err
	}
	l.archives[c.Package] = a
	var packages []string
	if err := l.lacking(a, &packages); err != nil {
		return nil, err
	}
	m := &module{l: l, at: make(map[symbol]uintptr), first: make(map[string]symbol)}
	start, err := m.load(a, packages, c)
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		l.inited[p] = l.archives[p].objects[0].fingerprint()
	}
	return func() { l.initialize(); call(start) }, nil
}

// lacking lists the packages that an archive needs and the program does not have,
// dependencies first.
func (l *Loader) lacking(a *archive, list *[]string) error {
	for _, o := range a.objects {
		for _, p := range o.imports() {
			if p.path == "unsafe" {
				continue
			}
			if have, ok := l.program.packages[p.path]; ok {
				if have != p.fingerprint {
					return fmt.Errorf("loader: %s was compiled for another version of package %s than the program has; build the program again (`camlab setup`), then restart the kernel", o.pkg, p.path)
				}
				continue
			}
			if have, ok := l.inited[p.path]; ok {
				if have != p.fingerprint {
					return fmt.Errorf("loader: package %s has changed since it was loaded; start the program again", p.path)
				}
				continue
			}
			if slices.Contains(*list, p.path) {
				continue
			}
			b, err := l.archive(strings.Clone(p.path))
			if err != nil {
				return err
			}
			if b.native {
				return fmt.Errorf("loader: package %s holds C or other native code: it works only if the program is built with it", p.path)
			}
			if b.objects[0].fingerprint() != p.fingerprint {
				return fmt.Errorf("loader: %s was compiled for another version of package %s; compile it again", o.pkg, p.path)
			}
			if err := l.lacking(b, list); err != nil {
				return err
			}
			*list = append(*list, strings.Clone(p.path))
		}
	}
	return nil
}

// archive opens the archive of a package.
func (l *Loader) archive(pkg string) (*archive, error) {
	if a := l.archives[pkg]; a != nil {
		return a, nil
	}
	file, ok := l.files[pkg]
	if !ok {
		return nil, fmt.Errorf("loader: package %s: no archive of it", pkg)
	}
	a, err := readArchive(file, pkg, true)
	if err != nil {
		return nil, err
	}
	if have, ok := l.program.packages[pkg]; ok && have != a.objects[0].fingerprint() {
		return nil, fmt.Errorf("loader: package %s: %s is another version of it than the program has; build the program again (`camlab setup`), then restart the kernel", pkg, file)
	}
	l.archives[pkg] = a
	return a, nil
}

// initialize runs the functions that initialize packages, each once, also where
// one of them panics.
func (l *Loader) initialize() {
	for {
		l.mu.Lock()
		tasks := l.tasks
		if len(tasks) > 0 {
			l.tasks = tasks[1:]
		}
		l.mu.Unlock()
		if len(tasks) == 0 {
			return
		}
		call(tasks[0])
	}
}

// call calls a func() by its address: a func value points to a word that holds it.
func call(pc uintptr) {
	f := &pc
	(*(*func())(unsafe.Pointer(&f)))()
}

// Variable is the variable of that name that a cell has declared last. It can be set.
func (l *Loader) Variable(name string) (reflect.Value, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.vars[name]
	if !ok {
		return reflect.Value{}, false
	}
	return reflect.NewAt(typeAt(v.typ), pointer(v.addr)).Elem(), true
}

// Variables are the names of variables that cells have declared, sorted; also those
// whose type has been declared anew since, so that cells no longer know them.
func (l *Loader) Variables() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.vars))
}

// Mapped is how many bytes of memory loaded code and data take.
func (l *Loader) Mapped() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.code.used + l.data.used
}

// pointer makes a pointer of an address outside Go's heap.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// forgotten is what forget has taken away.
type forgotten struct {
	addr map[string]uintptr
	vars map[string]variable
}

// forget takes away what belongs to names that a cell declares anew.
func (l *Loader) forget(declared []string) forgotten {
	old := forgotten{make(map[string]uintptr), make(map[string]variable)}
	drop := func(k string) {
		if a, ok := l.addr[k]; ok {
			old.addr[k] = a
			delete(l.addr, k)
		}
	}
	for _, n := range declared {
		t, method, isMethod := strings.Cut(n, ".")
		for _, k := range l.mentions[t] {
			if !isMethod || belongs(k, l.cell+"."+t+"."+method) || belongs(k, l.cell+".(*"+t+")."+method) ||
				strings.Contains(k, "..dict.") { // of a generic function, which may call the method
				drop(k)
			}
		}
		if v, ok := l.vars[n]; ok {
			old.vars[n] = v
			delete(l.vars, n)
		}
	}
	return old
}

// belongs reports whether a key is that of a function or of what is made for it:
// cell.T.Get-fm for cell.T.Get, not cell.T.GetAll.
func belongs(key, function string) bool {
	rest, ok := strings.CutPrefix(key, function)
	return ok && (rest == "" || strings.IndexAny(rest, "<·-.[") == 0)
}

func (l *Loader) remember(old forgotten) {
	maps.Copy(l.addr, old.addr)
	maps.Copy(l.vars, old.vars)
}

// names are the names of cells in a symbol's name: T in "type:map[string]*cell.T".
func (l *Loader) names(symbol string) []string {
	var list []string
	letter := func(c byte) bool {
		return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
	}
	prefix := l.cell + "."
	for at := 0; ; {
		i := strings.Index(symbol[at:], prefix)
		if i < 0 {
			return list
		}
		from := at + i + len(prefix)
		if before := at + i - 1; before >= 0 && (letter(symbol[before]) || symbol[before] == '/' || symbol[before] == '.') {
			at = from // another package
			continue
		}
		from += len(symbol[from:]) - len(strings.TrimLeft(strings.TrimPrefix(symbol[from:], ".dict."), "(*"))
		end := from
		for end < len(symbol) && letter(symbol[end]) {
			end++
		}
		name, _, _ := strings.Cut(symbol[from:end], "·") // f·f is where the value f points
		if name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
		at = end
	}
}

// add remembers where a symbol has been loaded.
func (l *Loader) add(k string, addr uintptr) {
	if _, ok := l.addr[k]; !ok {
		k = strings.Clone(k) // not the object's memory
		for _, n := range l.names(k) {
			if !slices.Contains(l.mentions[n], k) {
				l.mentions[n] = append(l.mentions[n], k)
			}
		}
	}
	l.addr[k] = addr
}
