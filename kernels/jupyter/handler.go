package jupyter

import "encoding/json"

// Handler is what a kernel can do. Execute is called for one cell at a time, the
// others at any time, also while a cell runs. Offsets are in bytes.
type Handler interface {
	// Info is the content of kernel_info_reply but for status and protocol version.
	Info() map[string]any
	// Execute runs a cell. It shows what there is to show, the error too if the
	// reply has one.
	Execute(x *Execution) Reply
	Complete(code string, cursor int) Completion
	// Inspect returns help by MIME type, or none.
	Inspect(code string, cursor, detail int) map[string]any
	// IsComplete returns "complete", "incomplete" with the next line's indent, or
	// "invalid".
	IsComplete(code string) (status, indent string)
	History(HistoryRequest) []Entry
	CommOpen(out *Output, comm Comm)
	CommMessage(out *Output, comm Comm)
	CommClose(out *Output, comm Comm)
	// Comms are the targets of the comms that are open, by their ids.
	Comms() map[string]string
	// Interrupt stops the cell that runs.
	Interrupt()
	// Shutdown ends what the kernel has started.
	Shutdown(restart bool)
}

// Execution is a request to run a cell.
type Execution struct {
	Code            string            `json:"code"`
	Silent          bool              `json:"silent"`
	StoreHistory    bool              `json:"store_history"`
	UserExpressions map[string]string `json:"user_expressions"`
	AllowStdin      bool              `json:"allow_stdin"`
	StopOnError     bool              `json:"stop_on_error"`
	// Count is the number that the front-end shows before the cell.
	Count int `json:"-"`
	// Output is where the cell shows things.
	Output *Output `json:"-"`
}

// Reply is what has become of a cell.
type Reply struct {
	// Failure is why it failed, nil if it did not.
	Failure *Failure
	// UserExpressions are the answers to the request's.
	UserExpressions map[string]any
}

// Failure is an error in the protocol's terms.
type Failure struct {
	Name      string
	Value     string
	Traceback []string
}

func errorContent(f Failure) map[string]any {
	if f.Traceback == nil {
		f.Traceback = []string{}
	}
	return map[string]any{"status": "error", "ename": f.Name, "evalue": f.Value, "traceback": f.Traceback}
}

// Completion are the texts that can stand at Start to End.
type Completion struct {
	Start, End int
	Matches    []Match
}

// Match is one of them. Type and Signature may be empty.
type Match struct{ Text, Type, Signature string }

// HistoryRequest asks for cells.
type HistoryRequest struct {
	Output  bool   `json:"output"`
	Raw     bool   `json:"raw"`
	Access  string `json:"hist_access_type"` // "range", "tail" or "search"
	Session int    `json:"session"`
	Start   int    `json:"start"`
	Stop    int    `json:"stop"`
	N       int    `json:"n"`
	Pattern string `json:"pattern"`
	Unique  bool   `json:"unique"`
}

// Entry is a cell of the history.
type Entry struct {
	Session, Line int
	Input         string
}

// Comm is a message of a comm.
type Comm struct {
	ID     string          `json:"comm_id"`
	Target string          `json:"target_name"`
	Data   json.RawMessage `json:"data"`
}
