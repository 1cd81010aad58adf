package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tangkal/tangkal/internal/fault"
)

func TestAnErrorNobodySortedIsInternal(t *testing.T) {
	for _, err := range []error{nil, errors.New("disk on fire"), fmt.Errorf("read: %w", errors.New("x")), &fault.Error{}} {
		if k := fault.Of(err); k != fault.Internal {
			t.Errorf("%v is %v", err, k)
		}
	}
	var zero fault.Kind
	if zero != fault.Internal {
		t.Errorf("the zero kind is %v", zero)
	}
}

func TestTheFirstFaultOfAChainCounts(t *testing.T) {
	inner := fault.Hidden("case")
	outer := fault.New(fault.Conflict, "case.locked", "By", "Ana").Because(inner)
	err := fmt.Errorf("take case: %w", errors.Join(nil, outer))
	if fault.Of(err) != fault.Conflict || !fault.Is(err, "case.locked") || fault.Is(err, "fault.hidden") {
		t.Errorf("%v is %v", err, fault.Of(err))
	}
	if e, ok := fault.As(err); !ok || e != outer {
		t.Errorf("got %v", e)
	}
	if !errors.Is(err, inner) {
		t.Error("the cause is lost for the log")
	}
	if want := "take case: case.locked map[By:Ana]: fault.hidden map[What:case]"; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestACopyLeavesItsOriginalAlone(t *testing.T) {
	refused := fault.New(fault.Denied, "x.refused")
	_ = refused.At("/field").Because(errors.New("why"))
	if refused.Field != "" || refused.Unwrap() != nil {
		t.Errorf("a shared fault was changed: %v", refused)
	}
}

func TestEveryKindHasItsOwnName(t *testing.T) {
	names := map[string]bool{}
	for k := fault.Internal; k <= fault.Unavailable; k++ {
		names[k.String()] = true
	}
	if len(names) != 6 {
		t.Errorf("six kinds have the names %v", names)
	}
}

func TestAnOddNumberOfArgumentsIsABug(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "x.y") {
			t.Errorf("recovered %v, want a panic that names the code", r)
		}
	}()
	_ = fault.New(fault.Invalid, "x.y", "Name") //nolint:staticcheck // odd on purpose
}

func TestACheckerGathersEverything(t *testing.T) {
	var c fault.Checker
	if err := c.Err(); err != nil {
		t.Errorf("nothing recorded, yet %v", err)
	}
	c.Require(true, "/there")
	c.Require(false, "/name")
	c.Add("/size", "x.big", "Max", 3)
	var inner fault.Checker
	inner.Require(false, "/url")
	if err := c.Join("/items/0", inner.Err()); err != nil {
		t.Error(err)
	}
	if err := c.Join("/items/1", fmt.Errorf("parse: %w", fault.New(fault.Invalid, "x.odd").At("/n"))); err != nil {
		t.Error(err)
	}
	stray := errors.New("disk on fire")
	if err := c.Join("/items/2", stray); !errors.Is(err, stray) {
		t.Errorf("an error that is no fault came back as %v", err)
	}
	if err := c.Join("/items/3", nil); err != nil {
		t.Errorf("nil came back as %v", err)
	}
	e, ok := fault.As(c.Err())
	if !ok || e.Kind != fault.Invalid || e.Code != "fault.input" || e.Args["Count"] != 4 {
		t.Fatalf("got %v", e)
	}
	var got []string
	for _, p := range e.Parts {
		got = append(got, p.Field+" "+p.Code)
	}
	want := []string{"/name fault.required", "/size x.big", "/items/0/url fault.required", "/items/1/n x.odd"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
