// Package wire is what the notebook kernel and the process in which its cells run
// say to one another.
//
// The kernel starts the process with two more files: it writes requests to
// number 3 and reads replies from number 4, each a line of JSON. One request is
// answered before the next is sent, but for an interrupt, which is the signal
// SIGINT. What cells print goes through the process's standard output and error,
// what they display through the named pipe of gonbui.
package wire

import "fmt"

// Numbers of the process's files.
const (
	RequestFile = 3
	ReplyFile   = 4
)

// Op says what is asked.
type Op string

const (
	// Run loads a cell and runs it.
	Run Op = "run"
	// Values asks for variables in words.
	Values Op = "values"
	// Chdir changes the process's folder.
	Chdir Op = "chdir"
	// Setenv changes the process's environment.
	Setenv Op = "setenv"
)

// Request is what the kernel asks.
type Request struct {
	ID int `json:"id"`
	Op Op  `json:"op"`

	// Of Run. Cell is the cell's name in errors, such as "cell[3]"; Archive is the
	// compiled package; Function runs its statements. Carried and Declared are
	// those of cell.Unit.
	Cell     string   `json:"cell,omitempty"`
	Archive  string   `json:"archive,omitempty"`
	Function string   `json:"function,omitempty"`
	Carried  []string `json:"carried,omitempty"`
	Declared []string `json:"declared,omitempty"`
	// Packages are the files of compiled packages that the process has not been
	// told of, by import path.
	Packages map[string]string `json:"packages,omitempty"`
	// Args are the cell's os.Args after the program's name. Flags are the names of
	// flags that the cell defines: those of earlier cells by that name are forgotten.
	Args  []string `json:"args,omitempty"`
	Flags []string `json:"flags,omitempty"`

	// Of Values: the names of variables, or none for all.
	Names []string `json:"names,omitempty"`

	// Of Chdir and Setenv. A Setenv with Unset takes the variable away.
	Dir   string `json:"dir,omitempty"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
	Unset bool   `json:"unset,omitempty"`
}

// Reply answers the request of the same ID.
type Reply struct {
	ID      int      `json:"id"`
	Failure *Failure `json:"failure,omitempty"`
	// Loaded says that the cell has been loaded: what it declares is there, even
	// if it failed afterwards.
	Loaded bool    `json:"loaded,omitempty"`
	Values []Value `json:"values,omitempty"`
}

// Kind says what kind of failure there was.
type Kind string

// Kinds of failure.
const (
	Panic       Kind = "panic"       // the cell panicked
	Error       Kind = "error"       // a last expression, Must or Check had an error
	Interrupted Kind = "interrupted" // by the reader
	Exit        Kind = "exit"        // os.Exit or log.Fatal, with another status than 0
	Load        Kind = "load"        // the cell could not be loaded, or the request not done
)

// Failure is why a request was not done to its end.
type Failure struct {
	Kind Kind   `json:"kind"`
	Text string `json:"text"`
	// Trace are the calls, the innermost first, those of cells and of libraries;
	// not those of the process itself.
	Trace []Frame `json:"trace,omitempty"`
	// Left says that an interrupted cell did not end and was left behind.
	Left bool `json:"left,omitempty"`
}

// Frame is a call. The file of a cell is its name, such as "cell[3]".
type Frame struct {
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
}

// Value is a variable in words.
type Value struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Text string `json:"text"` // a line
}

// Mark is what the process writes to its standard output and error when a
// request of that ID has been done: what a cell printed comes before it.
func Mark(id int) string { return fmt.Sprintf("\x00camlab:%d\x00", id) }
