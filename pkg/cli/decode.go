package cli

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// Findings is all that was found while options were set.
type Findings struct {
	// Errors are what makes the options unfit: bad values, required
	// properties that are missing, what Validate says.
	Errors []error
	// Warnings are properties that the options do not know.
	Warnings []error
	// Notices are properties that Flume knows and that have no effect here.
	Notices []error
}

// Err joins the errors. It is nil if there are none.
func (f Findings) Err() error { return errors.Join(f.Errors...) }

// Decode sets options, a pointer to a tagged struct, from properties: first
// the defaults, then the properties, of which the last of a name counts. Then
// it calls the Validate method of options and of what is embedded in them. It
// goes on after a mistake, so that all of them are found at once.
//
// Several structs may share the properties, as a source's own options and
// those that every source has do: each property is for the first struct that
// has it. The property "type", which every component has, is passed over if
// none has it.
//
// Errors say where they lie by where, which returns the place of the property
// that has the given key, or the place where it should stand; the method
// Where of flumeconf.Component does that. If where is nil, it is the position
// of the property. The status of errors is fault.Config.
//
// An error of Validate whose text begins with a property's name lies where
// that property stands.
func Decode(props []flumeconf.Property, where func(key string) string, options ...any) Findings {
	var all []*properties
	for _, each := range options {
		p, err := load(each, "")
		if err != nil {
			return Findings{Errors: []error{err}}
		}
		all = append(all, p)
	}
	return decode(all, fromFile(props, where), scope{where: where, status: fault.Config})
}

// Below returns the properties whose keys begin with prefix, without it: those
// of an interceptor, for the prefix "interceptors.i1.".
func Below(props []flumeconf.Property, prefix string) []flumeconf.Property {
	var below []flumeconf.Property
	for _, p := range props {
		if key, ok := strings.CutPrefix(p.Key, prefix); ok {
			below = append(below, flumeconf.Property{Key: key, Value: p.Value, Pos: p.Pos})
		}
	}
	return below
}

// given is a property that somebody gave a value.
type given struct {
	key   string // its name in a file
	text  string // the value
	label string // what an error calls it: "port", "--port"
	where string // where it stands; "" on the command line
	flag  bool   // it stands on the command line
}

// fromFile returns the properties of a file.
func fromFile(props []flumeconf.Property, where func(string) string) []given {
	all := make([]given, len(props))
	for i, p := range props {
		place := p.Pos.String() + ": " + p.Key
		if where != nil {
			place = where(p.Key)
		}
		all[i] = given{key: p.Key, text: p.Value, label: p.Key, where: place}
	}
	return all
}

// fault returns err as the fault of what was given.
func (g given) fault(err error) error {
	if g.flag {
		return fault.WithStatus(err, fault.Usage)
	}
	return fault.WithStatus(fault.At(err, g.where), fault.Config)
}

// scope says where options stand that are set together, and so what nobody
// gave a value.
type scope struct {
	where  func(key string) string // see Decode
	status int                     // fault.Config if there is a file, else fault.Usage
	usage  string                  // how the command line should have been, if it has a short form
}

// fault returns err as a fault of the property key, which was not given; key
// is "" if err is not about one property.
func (s scope) fault(err error, key string) error {
	if s.where != nil && key != "" {
		err = fault.At(err, s.where(key))
	}
	return fault.WithStatus(err, s.status)
}

// missing returns the error of a required property that was not given.
func (s scope) missing(p *property) error {
	text, flag := "required property "+p.key(), p.key()+" = "
	if s.status == fault.Usage {
		text, flag = "--"+p.key(), "--"+p.key()+"="
	}
	hint := "write " + flag + placeholder(p)
	if s.usage != "" {
		hint = "write " + s.usage + ", or " + flag + placeholder(p)
	}
	return s.fault(fault.Hint(errors.New(text+" is missing"), "%s: %s", hint, p.Help), p.key())
}

// slot is where a value goes: a property, and the key in it if it is a map.
type slot struct {
	*property
	sub string
}

// decode sets the options of all from what was given, in the order in which
// later ones take precedence.
func decode(all []*properties, gs []given, in scope) Findings {
	var found Findings
	for _, each := range all {
		for _, p := range each.list {
			if err := p.reset(); err != nil {
				found.Errors = append(found.Errors, fmt.Errorf("setting the default of %s: %w", p.key(), err))
			}
		}
	}
	choices := map[*property]error{}
	all, err := choose(all, gs, choices)
	if err != nil {
		return Findings{Errors: []error{err}}
	}

	// What counts of gs for each property, by index: one, or several flags.
	values := map[slot][]int{}
	for i, g := range gs {
		p, sub, owner := find(all, g.key)
		switch {
		case p != nil && (g.flag || !owner.command):
			s := slot{p, sub}
			if before := values[s]; before != nil && gs[before[0]].flag && (p.isSlice() || p.IsMap()) {
				values[s] = append(before, i)
			} else {
				values[s] = []int{i}
			}
		case g.key == all[0].prefix+"type" || of(choices, g.key):
		case g.flag:
			found.Errors = append(found.Errors, misspelt(g.label, all, "the manual"))
		default:
			found.Warnings = append(found.Warnings, unknown(g, all))
		}
	}

	faulty := map[*property]bool{}
	for i, g := range gs {
		p, sub, _ := find(all, g.key)
		if !slices.Contains(values[slot{p, sub}], i) {
			continue
		}
		if why := p.notice(); why != "" && !p.Set {
			found.Notices = append(found.Notices, g.fault(fmt.Errorf("%s has no effect: %s", g.label, why)))
		}
		if p.isSlice() && !p.Set {
			p.Target.SetZero()
		}
		p.Set = true
		err := choices[p]
		if !p.isChooser() {
			err = p.set(sub, g.text)
		}
		if err != nil {
			faulty[p] = true
			found.Errors = append(found.Errors, g.fault(fmt.Errorf("%s: %w", g.label, err)))
		}
	}

	for _, each := range all {
		for _, p := range each.list {
			if p.Required && !p.Set {
				faulty[p] = true
				found.Errors = append(found.Errors, in.missing(p))
			}
		}
	}

	for _, each := range all {
		for _, err := range validate(each.options) {
			name, _, _ := strings.Cut(err.Error(), " ")
			p, sub := each.find(each.prefix + strings.TrimSuffix(name, ":"))
			if p == nil {
				found.Errors = append(found.Errors, in.fault(err, ""))
				continue
			}
			if faulty[p] {
				continue
			}
			count := values[slot{p, sub}]
			if len(count) == 0 {
				found.Errors = append(found.Errors, in.fault(err, p.key()))
				continue
			}
			g := gs[count[len(count)-1]]
			if g.flag {
				err = fmt.Errorf("--%s%w", each.prefix, err)
			}
			found.Errors = append(found.Errors, g.fault(err))
		}
	}
	return found
}

// choose makes the components within the component, as they are given or by
// default, and returns all with their properties, whose defaults are set. What
// is wrong with a choice it puts into failed.
func choose(all []*properties, gs []given, failed map[*property]error) ([]*properties, error) {
	all = slices.Clone(all)
	for _, each := range all {
		for _, p := range each.list {
			if !p.isChooser() {
				continue
			}
			var err error
			for _, g := range gs {
				if g.key == p.key() {
					err = p.set("", g.text)
				}
			}
			if err != nil {
				failed[p] = err
				continue
			}
			if p.part == nil {
				continue
			}
			part, err := load(p.part, p.key()+".")
			if err != nil {
				return nil, err
			}
			for _, own := range part.list {
				if err := own.reset(); err != nil {
					return nil, fmt.Errorf("setting the default of %s: %w", own.key(), err)
				}
			}
			all = append(all, part)
		}
	}
	return all, nil
}

// of says whether key is a property of a component whose choice failed.
func of(failed map[*property]error, key string) bool {
	for p := range failed {
		if strings.HasPrefix(key, p.key()+".") {
			return true
		}
	}
	return false
}

// unknown returns the warning of a property that no struct has.
func unknown(g given, all []*properties) error {
	err := fmt.Errorf("unknown property %s", g.label)
	if p, _, _ := find(all, g.key); p != nil {
		return g.fault(fault.Hint(err, "write --%s on the command line", g.key))
	}
	if near := closest(all, g.key); near != "" {
		err = fault.Hint(err, "did you mean %s?", near)
	} else {
		err = fault.Hint(err, "it has no effect")
	}
	return g.fault(err)
}

// validate calls the Validate methods of options and of the structs embedded
// in it, and returns all that they find wrong.
func validate(options any) []error {
	var found []error
	seen := map[string]bool{}
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		if c, ok := v.Addr().Interface().(interface{ Validate() error }); ok {
			for _, err := range each(c.Validate()) {
				// Go promotes the Validate of an anonymous field, which is
				// then called for the struct and for the field.
				if !seen[err.Error()] {
					seen[err.Error()] = true
					found = append(found, err)
				}
			}
		}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			_, embed := field.Tag.Lookup("embed")
			if field.IsExported() && (embed || field.Anonymous) && field.Type.Kind() == reflect.Struct {
				visit(v.Field(i))
			}
		}
	}
	visit(reflect.ValueOf(options).Elem())
	return found
}

// each returns the errors that err joins, or err itself.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
