package live

import "fmt"

// Value shows the value of a cell's last expression, or several.
func Value(v ...any) {
	for _, x := range v {
		fmt.Printf("%+v\n", x)
	}
}

// Pair shows values with an error last, or ends the cell with the error.
func Pair(v ...any) {
	Quiet(v...)
	Value(v[:len(v)-1]...)
}

// Check ends the cell with err if it is not nil.
func Check(err error) {
	if err != nil {
		Fail(err)
	}
}

// Quiet ends the cell with the last of v if it is an error. It shows nothing.
func Quiet(v ...any) {
	if len(v) == 0 {
		return
	}
	if err, ok := v[len(v)-1].(error); ok {
		Check(err)
	}
}
