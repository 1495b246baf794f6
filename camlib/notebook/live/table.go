package live

import (
	"fmt"
	"html"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// maxRows is how many rows of a table are shown.
const maxRows = 20

// table returns the rows of a slice or array of structs, or of pointers to them,
// with a column for every exported field, and for every field of a type of a
// cell. ok is false for other values, and for structs that have a String method.
func table(v reflect.Value) (columns []string, rows [][]string, ok bool) {
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array || v.Len() == 0 {
		return nil, nil, false
	}
	t := v.Type().Elem()
	if _, ok := said(reflect.New(t).Elem()); ok {
		return nil, nil, false
	}
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		if t.Implements(reflect.TypeFor[fmt.Stringer]()) {
			return nil, nil, false
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, nil, false
	}
	var fields []int
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() || t.PkgPath() == "cell" {
			fields, columns = append(fields, i), append(columns, f.Name)
		}
	}
	if len(fields) == 0 {
		return nil, nil, false
	}
	for i := range min(v.Len(), maxRows) {
		item, row := v.Index(i), make([]string, len(fields))
		if pointer {
			item = item.Elem()
		}
		for k, f := range fields {
			if item.IsValid() { // not a nil pointer
				row[k] = cell(item.Field(f))
			}
		}
		rows = append(rows, row)
	}
	return columns, rows, true
}

// cell is a value in a line: strings are not quoted, and a number with a fraction
// has five digits that count.
func cell(v reflect.Value) string {
	text, ok := said(v)
	switch {
	case ok:
	case v.Kind() == reflect.String:
		text = v.String()
	case v.CanFloat() && v.Float() != math.Trunc(v.Float()):
		text = strconv.FormatFloat(v.Float(), 'g', 5, 64)
	default:
		text = (&printer{seen: make(map[visit]bool)}).value(v, maxDepth-2, false)
	}
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 60 {
		text = string(r[:59]) + "…"
	}
	return text
}

// htmlTable is a table as Jupyter shows it; n is how many rows there are in all.
func htmlTable(columns []string, rows [][]string, n int) string {
	var b strings.Builder
	b.WriteString("<table><thead><tr>")
	for _, c := range columns {
		b.WriteString("<th>" + html.EscapeString(c) + "</th>")
	}
	b.WriteString("</tr></thead><tbody>")
	for _, row := range rows {
		b.WriteString("<tr>")
		for _, c := range row {
			align := ""
			if number(c) {
				align = ` style="text-align:right"`
			}
			b.WriteString("<td" + align + ">" + html.EscapeString(c) + "</td>")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</tbody></table>")
	if n > len(rows) {
		fmt.Fprintf(&b, "<p>%d rows, the first %d shown</p>", n, len(rows))
	}
	return b.String()
}

// textTable is the same with spaces.
func textTable(columns []string, rows [][]string, n int) string {
	width := make([]int, len(columns))
	for _, row := range append([][]string{columns}, rows...) {
		for i, c := range row {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	var b strings.Builder
	for _, row := range append([][]string{columns}, rows...) {
		line := ""
		for i, c := range row {
			space := strings.Repeat(" ", width[i]-len([]rune(c)))
			if number(c) {
				c = space + c
			} else {
				c += space
			}
			line += c + "  "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if n > len(rows) {
		fmt.Fprintf(&b, "%d rows, the first %d shown\n", n, len(rows))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func number(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}
