//! Follows secrets through the machine code of a function.
//!
//! What a function reads through its arguments is secret, and so is what it is given in registers of vectors; the
//! arguments in other registers are public addresses unless said otherwise. From instruction to instruction, over all
//! paths until nothing changes any more, every result is secret that has a secret operand. A secret must not steer a
//! branch, nor be part of an address, nor be divided or divided by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register,
    RflagsBits, UsedMemory,
};

/// What is known of a value; where paths meet, the greater holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// The public address of public addresses.
    Addresses,
    /// Public: constants, addresses and counters.
    #[default]
    Public,
    /// Computed from what memory holds.
    Secret,
}

/// What must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    Branch,
    Address,
    Division,
    /// A jump or a call that leads nobody knows where, or to a function that was not analysed.
    Elsewhere,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Branch => "a branch depends on a secret",
            Self::Address => "an address depends on a secret",
            Self::Division => "a secret is divided, or divided by",
            Self::Elsewhere => "it goes on where nothing was analysed",
        })
    }
}

/// A function in memory.
pub struct Function<'a> {
    /// Where it starts.
    pub address: u64,
    /// Its instructions.
    pub code: &'a [u8],
    /// The arguments that are not public, or not only.
    pub arguments: &'a [(Register, Value)],
}

/// What is known before an instruction. What is not in the map is public.
#[derive(Clone, Default, PartialEq, Eq)]
struct State {
    registers: BTreeMap<Register, Value>,
    flags: Value,
    /// Octets of the stack that hold public values, by the register and the displacement that address them.
    public_stack: BTreeSet<(Register, u64)>,
}

impl State {
    fn register(&self, register: Register) -> Value {
        let known = self.registers.get(&register).or_else(|| self.registers.get(&register.full_register()));
        known.copied().unwrap_or_default()
    }

    fn set_register(&mut self, register: Register, value: Value) {
        let full = register.full_register();
        let old = self.register(full);
        // What is shorter than 32 bits leaves the rest as it was; an octet is often used for itself.
        let is_whole = register.is_gpr32() || register.size() == full.size();
        if register.size() > 1 {
            self.registers.retain(|known, _| known.full_register() != full);
        }
        self.registers.insert(full, if is_whole { value } else { value.max(old) });
        if !is_whole && register.size() == 1 {
            self.registers.insert(register, value);
        }
    }

    fn join(&mut self, other: &Self) {
        let known: BTreeSet<Register> = self.registers.keys().chain(other.registers.keys()).copied().collect();
        self.registers = known
            .into_iter()
            .map(|register| (register, self.register(register).max(other.register(register))))
            .collect();
        self.flags = self.flags.max(other.flags);
        self.public_stack = self.public_stack.intersection(&other.public_stack).copied().collect();
    }

    fn read(&self, memory: &UsedMemory) -> Value {
        let is_public = match memory.base() {
            Register::RIP => true,
            Register::None => memory.index() == Register::None,
            base if self.register(base) == Value::Addresses => true,
            _ => slots(memory).is_some_and(|mut slots| slots.all(|slot| self.public_stack.contains(&slot))),
        };
        if is_public { Value::Public } else { Value::Secret }
    }

    fn write(&mut self, memory: &UsedMemory, value: Value, shares_stack: bool) {
        match slots(memory) {
            Some(slots) if value < Value::Secret => self.public_stack.extend(slots),
            // By the other register the same octets may have another name.
            Some(slots) => {
                self.public_stack.retain(|(base, _)| *base == memory.base());
                slots.for_each(|slot| _ = self.public_stack.remove(&slot));
            }
            None if value == Value::Secret && (shares_stack || memory.base() == Register::RSP) => {
                self.public_stack.clear()
            }
            None => {}
        }
    }
}

/// The octets of the stack that an operand names, if it does so without an index.
fn slots(memory: &UsedMemory) -> Option<impl Iterator<Item = (Register, u64)>> {
    let (base, start) = (memory.base(), memory.displacement());
    let is_stack = matches!(base, Register::RSP | Register::RBP) && memory.index() == Register::None;
    let octets = memory.memory_size().size() as u64;
    is_stack.then(|| (0..octets).map(move |octet| (base, start.wrapping_add(octet))))
}

const fn reads(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

const fn writes(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

const fn is_conditional(access: OpAccess) -> bool {
    matches!(access, OpAccess::CondWrite | OpAccess::ReadCondWrite)
}

/// Registers that a called function may change, and hands back what it likes in.
fn is_scratch(register: Register) -> bool {
    use Register::{None, R12, R13, R14, R15, RBP, RBX, RSP};
    register.full_register() == register && !matches!(register, None | RBX | RBP | RSP | R12 | R13 | R14 | R15)
}

/// The registers of the first arguments, which are addresses in all functions that are called here, or lengths.
const ARGUMENTS: [Register; 3] = [Register::RDI, Register::RSI, Register::RDX];

/// The instructions of a function and what is found in it, each with its address. `is_analysed` says whether a call to
/// an address leads to a function that is analysed too, or that treats what it moves alike; calls through memory ask by
/// the address of the pointer.
pub fn analyse(function: &Function<'_>, is_analysed: impl Fn(u64) -> bool) -> (usize, BTreeSet<(u64, Finding)>) {
    let decoder = Decoder::with_ip(64, function.code, function.address, DecoderOptions::NONE);
    let instructions: BTreeMap<u64, Instruction> = decoder.into_iter().map(|each| (each.ip(), each)).collect();
    let shares_stack = instructions.values().any(takes_stack_address);
    let mut factory = InstructionInfoFactory::new();
    let mut findings = BTreeSet::new();
    let mut states: BTreeMap<u64, State> = BTreeMap::new();
    let vectors = Register::values().filter(|register| register.is_zmm() || register.is_k());
    let mut registers: BTreeMap<_, _> = vectors.map(|register| (register, Value::Secret)).collect();
    registers.extend(function.arguments.iter().copied());
    let first = State { registers, ..State::default() };
    let mut open = vec![(function.address, first)];
    while let Some((address, arriving)) = open.pop() {
        let Some(instruction) = instructions.get(&address) else {
            findings.insert((address, Finding::Elsewhere));
            continue;
        };
        let state = match states.get(&address) {
            None => arriving,
            Some(known) => {
                let mut joined = known.clone();
                joined.join(&arriving);
                if joined == *known {
                    continue;
                }
                joined
            }
        };
        states.insert(address, state.clone());
        let (after, found) = step(&mut factory, instruction, state, shares_stack, &is_analysed);
        findings.extend(found.into_iter().map(|finding| (address, finding)));
        let next = instruction.next_ip();
        match instruction.flow_control() {
            FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => open.push((next, after)),
            FlowControl::UnconditionalBranch => open.push((instruction.near_branch_target(), after)),
            FlowControl::ConditionalBranch => {
                open.push((instruction.near_branch_target(), after.clone()));
                open.push((next, after));
            }
            // A trap ends the function, and the program.
            FlowControl::Return | FlowControl::Exception => {}
            _ => {
                findings.insert((address, Finding::Elsewhere));
            }
        }
    }
    (instructions.len(), findings)
}

/// Whether the address of something on the stack may be in another register afterwards.
fn takes_stack_address(instruction: &Instruction) -> bool {
    let from = match instruction.mnemonic() {
        Mnemonic::Lea => instruction.memory_base(),
        Mnemonic::Mov => instruction.op1_register(),
        _ => return false,
    };
    from == Register::RSP && instruction.op0_register() != Register::RBP
}

/// What is known after an instruction, and what is wrong with it.
fn step(
    factory: &mut InstructionInfoFactory,
    instruction: &Instruction,
    mut state: State,
    shares_stack: bool,
    is_analysed: impl Fn(u64) -> bool,
) -> (State, Vec<Finding>) {
    let info = factory.info(instruction);
    let mut findings = Vec::new();
    let mut value = Value::Addresses;
    let mut is_computed = false;
    for register in info.used_registers().iter().filter(|register| reads(register.access())) {
        value = value.max(state.register(register.register()));
        is_computed = true;
    }
    for memory in info.used_memory().iter().filter(|memory| memory.access() != OpAccess::NoMemAccess) {
        if [memory.base(), memory.index()].iter().any(|register| state.register(*register) == Value::Secret) {
            findings.push(Finding::Address);
        }
        if reads(memory.access()) {
            value = value.max(state.read(memory));
            is_computed = true;
        }
    }
    if instruction.rflags_read() != RflagsBits::NONE {
        value = value.max(state.flags);
        is_computed = true;
    }
    // An immediate is public, and no address of addresses.
    let value = if is_computed { value } else { Value::Public };
    let is_secret = value == Value::Secret;

    match instruction.flow_control() {
        FlowControl::ConditionalBranch if is_secret => findings.push(Finding::Branch),
        FlowControl::Call if !is_analysed(instruction.near_branch_target()) => findings.push(Finding::Elsewhere),
        FlowControl::IndirectCall if !is_pointer_analysed(instruction, &is_analysed) => {
            findings.push(Finding::Elsewhere)
        }
        _ => {}
    }
    if is_secret && matches!(instruction.mnemonic(), Mnemonic::Div | Mnemonic::Idiv) {
        findings.push(Finding::Division);
    }
    if matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall) {
        if ARGUMENTS.iter().any(|register| state.register(*register) == Value::Secret) {
            findings.push(Finding::Address);
        }
        for register in Register::values().filter(|register| is_scratch(*register)) {
            state.set_register(register, Value::Secret);
        }
        state.flags = Value::Secret;
        if shares_stack {
            state.public_stack.clear();
        }
        return (state, findings);
    }

    for memory in info.used_memory().iter().filter(|memory| writes(memory.access())) {
        let value = if is_conditional(memory.access()) { value.max(state.read(memory)) } else { value };
        state.write(memory, value, shares_stack);
    }
    // What is pushed or popped is no part of the address of the stack.
    let is_stack_pointer = |register: Register| register == Register::RSP && instruction.is_stack_instruction();
    for register in info.used_registers().iter().filter(|register| writes(register.access())) {
        let register_value =
            if is_conditional(register.access()) { value.max(state.register(register.register())) } else { value };
        if !is_stack_pointer(register.register()) {
            state.set_register(register.register(), register_value);
        }
        // What is addressed by another place than before is another place.
        if matches!(register.register().full_register(), Register::RSP | Register::RBP) {
            let moved = register.register().full_register();
            state.public_stack.retain(|(base, _)| *base != moved);
        }
    }
    let modified = instruction.rflags_modified();
    if modified != RflagsBits::NONE {
        const ALL: u32 = RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::CF | RflagsBits::PF;
        state.flags = if modified & ALL == ALL { value } else { value.max(state.flags) };
    }
    (state, findings)
}

fn is_pointer_analysed(instruction: &Instruction, is_analysed: impl Fn(u64) -> bool) -> bool {
    instruction.code() == Code::Call_rm64
        && instruction.is_ip_rel_memory_operand()
        && is_analysed(instruction.ip_rel_memory_address())
}
