package cli

import (
	"fmt"
	"go/doc/comment"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flumekit/flumekit/pkg/component"
	"github.com/flumekit/flumekit/pkg/option"
)

// width is how many columns a page of help has.
const width = 80

// overview returns the page of PROG --help.
func overview[O any](prog Program, catalog component.Catalog[O]) string {
	var page strings.Builder
	paragraph(&page, "", prog.Summary)
	target := ""
	if slices.ContainsFunc(catalog, func(s component.Spec[O]) bool { return s.Target != nil }) {
		target = " [TARGET]"
	}
	usageLines(&page, append([]string{
		prog.Name + " TYPE" + target + " [--property value ...]",
		prog.Name + " TYPE --help",
	}, prog.Usage...))
	examples(&page, prog.Examples)
	page.WriteString("\nTypes:\n")
	var rows [][2]string
	for _, spec := range catalog {
		rows = append(rows, [2]string{spec.Name, spec.Summary})
	}
	table(&page, rows)
	if prog.Commands != nil {
		rows = nil
		for _, c := range prog.Commands {
			rows = append(rows, [2]string{c.Command, c.Effect})
		}
		page.WriteString("\nCommands:\n")
		table(&page, rows)
	}
	page.WriteString("\n")
	more := prog.More
	if more == "" {
		more = fmt.Sprintf("%s TYPE --help is the manual of a type.", prog.Name)
	}
	paragraph(&page, "", more)
	return page.String()
}

// Manual returns the page of PROG TYPE --help: the component's manual, its
// properties, the options that every component of the program has.
func Manual[O any](prog Program, spec component.Spec[O], shared ...Group) (string, error) {
	all, err := loadAll(spec.New(), append(shared, Group{Title: "Process", Options: new(Process), Command: true}))
	if err != nil {
		return "", err
	}
	if err := reset(all); err != nil {
		return "", err
	}
	var page strings.Builder
	paragraph(&page, "", strings.TrimSpace(prog.Name+" "+spec.Name)+": "+spec.Summary)
	if prog.Name != "" {
		usageLines(&page, []string{usageLine(prog, spec)})
	}
	if text := manualText(spec.Manual); text != "" {
		page.WriteString("\n" + text)
	}
	for i, each := range all {
		title := each.title
		if i == 0 {
			title = "Properties"
		}
		sections(&page, title, each)
		parts, err := choose([]*properties{each}, nil, nil)
		if err != nil {
			return "", err
		}
		for _, part := range parts[1:] {
			sections(&page, "With the default "+strings.TrimSuffix(part.prefix, "."), part)
		}
	}
	if spec.Class != "" {
		page.WriteString("\n")
		paragraph(&page, "", "In Flume's configuration the type is "+spec.Name+" or "+spec.Class+".")
	}
	return page.String(), nil
}

// usageLine returns how a component is called.
func usageLine[O any](prog Program, spec component.Spec[O]) string {
	line := prog.Name + " " + spec.Name
	if spec.Target != nil {
		line += " " + spec.Target.Placeholder
	}
	return line + " [--property value ...]"
}

// usageLines writes the lines of usage under one another.
func usageLines(page *strings.Builder, lines []string) {
	lead := "\nUsage: "
	for _, line := range lines {
		page.WriteString(lead + line + "\n")
		lead = "       "
	}
}

// examples writes command lines, each with what it does below.
func examples(page *strings.Builder, all []Example) {
	if len(all) == 0 {
		return
	}
	page.WriteString("\nExamples:\n")
	for _, e := range all {
		page.WriteString("  " + e.Command + "\n")
		if e.Effect != "" {
			paragraph(page, "      ", e.Effect)
		}
	}
}

// parse reads a manual. Its first words "Package x is the y source" become
// "This is the y source".
func parse(manual string) *comment.Doc {
	if rest, ok := strings.CutPrefix(manual, "Package "); ok {
		if _, rest, ok = strings.Cut(rest, " is "); ok {
			manual = "This is " + rest
		}
	}
	var parser comment.Parser
	return parser.Parse(manual)
}

// manualText returns a manual laid out for a terminal.
func manualText(manual string) string {
	if manual == "" {
		return ""
	}
	printer := comment.Printer{TextWidth: width, TextCodePrefix: "    "}
	var text strings.Builder
	for line := range strings.Lines(string(printer.Text(parse(manual)))) {
		text.WriteString(strings.TrimPrefix(line, "# "))
	}
	return text.String()
}

// section is properties under one heading.
type section struct {
	title string
	list  []*property
}

// split returns the properties that have an effect by their headings, and
// those that have none.
func split(title string, all *properties) (found []section, idle []*property) {
	found = []section{{title: title}}
	for _, p := range all.list {
		if p.Hidden {
			continue
		}
		if p.notice() != "" {
			idle = append(idle, p)
			continue
		}
		under := title
		if p.Group != nil {
			under = p.Group.Title
		}
		i := slices.IndexFunc(found, func(s section) bool { return s.title == under })
		if i < 0 {
			i = len(found)
			found = append(found, section{title: under})
		}
		found[i].list = append(found[i].list, p)
	}
	return slices.DeleteFunc(found, func(s section) bool { return s.list == nil }), idle
}

// sections writes the properties of one struct.
func sections(page *strings.Builder, title string, all *properties) {
	found, idle := split(title, all)
	for _, s := range found {
		page.WriteString("\n" + s.title + ":\n")
		for _, p := range s.list {
			entry(page, p)
		}
	}
	if idle != nil {
		page.WriteString("\nAccepted for Flume's sake, without effect:\n")
		for _, p := range idle {
			page.WriteString("  " + signature(p) + "\n")
			paragraph(page, "      ", sentence(p.notice()))
		}
	}
}

// entry writes one property: its name and value, what it is when not given at
// the right edge, and its help below.
func entry(page *strings.Builder, p *property) {
	left, right := "  "+signature(p), state(p)
	gap := width - utf8.RuneCountInString(left) - utf8.RuneCountInString(right)
	switch {
	case right == "":
		page.WriteString(left + "\n")
	case gap >= 2:
		page.WriteString(left + strings.Repeat(" ", gap) + right + "\n")
	default:
		page.WriteString(left + "\n" + strings.Repeat(" ", max(width-utf8.RuneCountInString(right), 6)) + right + "\n")
	}
	paragraph(page, "      ", p.Help)
}

// signature returns a property as it is written on a command line.
func signature(p *property) string {
	s := "--" + p.key()
	if p.isBool() && p.Default == "true" {
		s = "--[no-]" + p.key()
	}
	if p.Short != 0 {
		s = "-" + string(p.Short) + ", " + s
	}
	if p.isBool() {
		return s
	}
	return s + " " + placeholder(p)
}

// placeholder returns what stands for the value of a property.
func placeholder(p *property) string {
	if p.PlaceHolder != "" {
		return p.PlaceHolder
	}
	if p.isChooser() {
		return "TYPE"
	}
	if p.Enum != "" {
		return strings.Join(slices.DeleteFunc(p.EnumSlice(), func(s string) bool { return s == "" }), "|")
	}
	t, more := p.Target.Type(), ""
	if p.isSlice() {
		t = t.Elem()
		switch p.Tag.Sep {
		case ' ':
			more = " ..."
		case -1:
		default:
			more = string(p.Tag.Sep) + "..."
		}
	}
	if p.IsMap() {
		if !p.wild {
			return "KEY=VALUE"
		}
		t = t.Elem()
	}
	if name, ok := placeholders[t]; ok {
		return name + more
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "N" + more
	case reflect.Bool:
		return "true|false"
	}
	return "TEXT" + more
}

// placeholders are the words for the types of values.
var placeholders = map[reflect.Type]string{
	reflect.TypeFor[option.Int]():     "N",
	reflect.TypeFor[option.Int64]():   "N",
	reflect.TypeFor[option.Bytes]():   "BYTES",
	reflect.TypeFor[option.Seconds](): "SECONDS",
	reflect.TypeFor[option.Millis]():  "MILLISECONDS",
	reflect.TypeFor[option.Charset](): "CHARSET",
	reflect.TypeFor[option.Secret]():  "SECRET",
}

// units are what bare numbers count in the types whose defaults need to say.
var units = map[reflect.Type]string{
	reflect.TypeFor[option.Bytes]():   "bytes",
	reflect.TypeFor[option.Seconds](): "seconds",
	reflect.TypeFor[option.Millis]():  "milliseconds",
}

// state returns what a property is when it is not given: required, or its
// default with the unit; "" if it is nothing.
func state(p *property) string {
	if p.Required {
		return "required"
	}
	if !p.HasDefault || p.Default == "" || p.isBool() && p.Default == "false" {
		return ""
	}
	text := "default " + p.Default
	unit := p.Tag.Get("unit")
	if _, err := strconv.Atoi(p.Default); err == nil && unit == "" && p.Default != "0" {
		unit = units[p.Target.Type()]
		if p.Default == "1" {
			unit = strings.TrimSuffix(unit, "s")
		}
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}

// sentence returns text with a capital and a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.TrimSuffix(strings.ToUpper(text[:1])+text[1:], ".") + "."
}

// table writes names with what they mean beside them.
func table(page *strings.Builder, rows [][2]string) {
	column := 0
	for _, row := range rows {
		column = max(column, utf8.RuneCountInString(row[0]))
	}
	indent := strings.Repeat(" ", column+4)
	for _, row := range rows {
		var cell strings.Builder
		paragraph(&cell, indent, row[1])
		page.WriteString("  " + row[0] + strings.Repeat(" ", column-utf8.RuneCountInString(row[0])+2))
		page.WriteString(strings.TrimPrefix(cell.String(), indent))
		if row[1] == "" {
			page.WriteString("\n")
		}
	}
}

// paragraph writes text in lines of at most width columns.
func paragraph(page *strings.Builder, indent, text string) {
	column := 0
	for word := range strings.FieldsSeq(text) {
		long := utf8.RuneCountInString(word)
		switch {
		case column == 0:
			page.WriteString(indent)
			column = len(indent)
		case column+1+long > width:
			page.WriteString("\n" + indent)
			column = len(indent)
		default:
			page.WriteString(" ")
			column++
		}
		page.WriteString(word)
		column += long
	}
	if column > 0 {
		page.WriteString("\n")
	}
}
