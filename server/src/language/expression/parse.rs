//! Parses tokens into a tree: a Pratt parser for CEL's grammar. It does not resolve names; [`super::binding`] does.

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::operator::Binary;
use super::token::{self, ExpressionToken};
use super::tree::{Ast, AstNode, Element, Logic, MapEntry, Name, Select, Strictness};
use crate::diagnostic::Code;
use crate::language::fault::Fault;

mod call;

/// How deeply an expression may be nested.
pub(super) const MAX_DEPTH: usize = 64;

/// Parses an expression.
pub(super) fn parse(source: &str) -> Result<AstNode, Fault> {
    let tokens = token::tokens(source)?;
    if tokens.len() == 1 {
        let fault = Fault::new(Code::Syntax, "the expression is empty", 0..source.len());
        return Err(fault.help("a literal `${` is written `$${`"));
    }
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let node = parser.expression()?;
    match parser.peek() {
        ExpressionToken::End => Ok(node),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser {
    tokens: Vec<(ExpressionToken, Range<usize>)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &ExpressionToken {
        &self.tokens[self.at].0
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.at].1.clone()
    }

    /// Takes a token; the last one is never consumed.
    fn next(&mut self) -> (ExpressionToken, Range<usize>) {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), ExpressionToken::Sign(s) if *s == sign);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, sign: &str, opened: Option<Range<usize>>) -> Result<Range<usize>, Fault> {
        let span = self.span();
        if self.take(sign) {
            return Ok(span);
        }
        match (opened, self.peek()) {
            (Some(opened), ExpressionToken::End) => {
                Err(Fault::new(Code::Syntax, format!("this is not closed with `{sign}`"), opened))
            }
            _ => Err(self.unexpected(&format!("`{sign}`"))),
        }
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let found = self.peek().noun();
        let fault = Fault::new(Code::Syntax, format!("expected {wanted}, found {found}"), self.span());
        let name = |at: Option<usize>| match at.and_then(|at| self.tokens.get(at)) {
            Some((ExpressionToken::Name(name), _)) => &**name,
            _ => "",
        };
        let is_defined = ["defined", "none", "not"].contains(&name(Some(self.at + 1)));
        match (name(self.at.checked_sub(1)), name(Some(self.at))) {
            (_, "and") => fault.help("`&&` is and"),
            (_, "or") => fault.help("`||` is or"),
            (_, "is") if is_defined => fault.help("`x != null` asks for a value, and `has(a.b)` for a key"),
            (_, "is") => fault.help("`==` compares"),
            ("not", _) => fault.help("`!` is not"),
            _ => fault,
        }
    }

    fn expression(&mut self) -> Result<AstNode, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep(self.span()));
        }
        let condition = self.binary(1)?;
        let node = if self.take("?") {
            let yes = self.binary(1)?;
            self.expect(":", None)?;
            let no = self.expression()?;
            let span = condition.span.start..no.span.end;
            let depth = condition.depth.max(yes.depth).max(no.depth);
            node(span, depth, Ast::Choose(Box::new([condition, yes, no])))?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    fn binary(&mut self, least: u8) -> Result<AstNode, Fault> {
        let mut left = self.unary()?;
        while let Some((power, operator)) = operator(self.peek()).filter(|(power, _)| *power >= least) {
            self.next();
            let right = self.binary(power + 1)?;
            let span = left.span.start..right.span.end;
            let depth = left.depth.max(right.depth);
            let operands = Box::new([left, right]);
            left = node(
                span,
                depth,
                match operator {
                    Infix::Binary(operator) => Ast::Binary(operator, operands),
                    Infix::Logic(logic) => Ast::Logic(logic, operands),
                },
            )?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<AstNode, Fault> {
        let start = self.span().start;
        let not = matches!(self.peek(), ExpressionToken::Sign("!"));
        if !not && !matches!(self.peek(), ExpressionToken::Sign("-")) {
            return self.postfix();
        }
        self.next();
        if let (false, ExpressionToken::Int(number)) = (not, self.peek()) {
            let number = *number;
            return self.negative(start, number);
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep(self.span()));
        }
        let operand = self.unary()?;
        self.depth -= 1;
        let (span, depth) = (start..operand.span.end, operand.depth);
        let operand = Box::new(operand);
        node(span, depth, if not { Ast::Not(operand) } else { Ast::Negate(operand) })
    }

    /// Parses `-5`: the sign belongs to the number, so that the smallest integer can be written.
    fn negative(&mut self, start: usize, number: u64) -> Result<AstNode, Fault> {
        let span = start..self.span().end;
        self.next();
        let value = 0_i64.checked_sub_unsigned(number).ok_or_else(|| out_of_range(span.clone()))?;
        let literal = node(span, 0, Ast::Literal(value.into()))?;
        self.postfixes(literal)
    }

    fn postfix(&mut self) -> Result<AstNode, Fault> {
        let primary = self.primary()?;
        self.postfixes(primary)
    }

    fn postfixes(&mut self, mut operand: AstNode) -> Result<AstNode, Fault> {
        loop {
            let opened = self.span();
            if self.take(".") {
                operand = self.member(operand)?;
            } else if self.take("[") {
                let mode = self.mode();
                let index = self.expression()?;
                let end = self.expect("]", Some(opened))?.end;
                let (span, depth) = (operand.span.start..end, operand.depth.max(index.depth));
                let (operand_box, index) = (Box::new(operand), Box::new(index));
                operand = node(span, depth, Ast::Index { operand: operand_box, index, mode })?;
            } else {
                return Ok(operand);
            }
        }
    }

    fn mode(&mut self) -> Strictness {
        if self.take("?") { Strictness::Optional } else { Strictness::Strict }
    }

    /// Parses what follows a dot.
    fn member(&mut self, operand: AstNode) -> Result<AstNode, Fault> {
        let mode = self.mode();
        let (field, quoted) = match self.peek() {
            ExpressionToken::Name(name) => (name.clone(), false),
            ExpressionToken::Quoted(name) => (name.clone(), true),
            _ => return Err(self.unexpected("a name after the dot")),
        };
        let field_span = self.next().1;
        let opened = self.span();
        if !quoted && mode == Strictness::Strict && self.take("(") {
            let (arguments, end) = self.list(")", opened, Self::expression)?;
            return call::member(operand, field, field_span, arguments, end);
        }
        let (span, depth) = (operand.span.start..field_span.end, operand.depth);
        let select = Select { operand: Box::new(operand), field, field_span, mode, path: None };
        node(span, depth, Ast::Select(select))
    }

    /// Parses items that are separated by commas, with an optional one at the end. Returns them with the byte after the
    /// bracket.
    fn list<T>(
        &mut self,
        close: &str,
        opened: Range<usize>,
        item: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<(Vec<T>, usize), Fault> {
        let mut items = Vec::new();
        loop {
            let span = self.span();
            if self.take(close) {
                return Ok((items, span.end));
            }
            items.push(item(self)?);
            if !self.take(",") {
                return Ok((items, self.expect(close, Some(opened))?.end));
            }
        }
    }

    fn primary(&mut self) -> Result<AstNode, Fault> {
        let span = self.span();
        let literal = |value: Value| node(span.clone(), 0, Ast::Literal(value));
        match self.peek().clone() {
            ExpressionToken::Int(number) => {
                self.next();
                literal(i64::try_from(number).map_err(|_| out_of_range(span.clone()))?.into())
            }
            ExpressionToken::Float(number) => {
                self.next();
                literal(number.into())
            }
            ExpressionToken::Text(text) => {
                self.next();
                literal(text.into())
            }
            ExpressionToken::Name(name) => {
                self.next();
                match &*name {
                    "true" => literal(true.into()),
                    "false" => literal(false.into()),
                    "null" => literal(Value::NULL),
                    _ => self.name(name, span),
                }
            }
            ExpressionToken::Sign("(") => {
                self.next();
                let inner = self.expression()?;
                let end = self.expect(")", Some(span.clone()))?.end;
                Ok(AstNode { span: span.start..end, ..inner })
            }
            ExpressionToken::Sign("[") => {
                self.next();
                let (elements, end) = self.list("]", span.clone(), Self::element)?;
                let depth = elements.iter().map(|e| e.node.depth).max().unwrap_or(0);
                node(span.start..end, depth, Ast::List(elements))
            }
            ExpressionToken::Sign("{") => {
                self.next();
                let (entries, end) = self.list("}", span.clone(), Self::entry)?;
                let depth = entries.iter().map(|e| e.key.depth.max(e.value.depth)).max().unwrap_or(0);
                node(span.start..end, depth, Ast::Map(entries))
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    fn name(&mut self, name: Arc<str>, span: Range<usize>) -> Result<AstNode, Fault> {
        let opened = self.span();
        if !self.take("(") {
            return node(span, 0, Ast::Name(Name { name, local: None, path: None }));
        }
        let (arguments, end) = self.list(")", opened, Self::expression)?;
        call::global(name, span, arguments, end)
    }

    fn element(&mut self) -> Result<Element, Fault> {
        let mode = self.mode();
        Ok(Element { node: self.expression()?, mode })
    }

    fn entry(&mut self) -> Result<MapEntry, Fault> {
        let mode = self.mode();
        let key = self.expression()?;
        self.expect(":", None)?;
        Ok(MapEntry { key, value: self.expression()?, mode })
    }
}

enum Infix {
    Binary(Binary),
    Logic(Logic),
}

/// The precedence of an operator, and what it does.
fn operator(token: &ExpressionToken) -> Option<(u8, Infix)> {
    let sign = match token {
        ExpressionToken::Sign(sign) => sign,
        ExpressionToken::Name(name) if &**name == "in" => "in",
        _ => return None,
    };
    let binary = |power, operator| Some((power, Infix::Binary(operator)));
    match sign {
        "||" => Some((1, Infix::Logic(Logic::Or))),
        "&&" => Some((2, Infix::Logic(Logic::And))),
        "==" => binary(3, Binary::Equal),
        "!=" => binary(3, Binary::Unequal),
        "<" => binary(3, Binary::Less),
        "<=" => binary(3, Binary::LessOrEqual),
        ">" => binary(3, Binary::Greater),
        ">=" => binary(3, Binary::GreaterOrEqual),
        "in" => binary(3, Binary::In),
        "+" => binary(4, Binary::Add),
        "-" => binary(4, Binary::Subtract),
        "*" => binary(5, Binary::Multiply),
        "/" => binary(5, Binary::Divide),
        "%" => binary(5, Binary::Remainder),
        _ => None,
    }
}

fn node(span: Range<usize>, below: usize, ast: Ast) -> Result<AstNode, Fault> {
    if below >= MAX_DEPTH { Err(too_deep(span)) } else { Ok(AstNode { span, depth: below + 1, ast }) }
}

fn too_deep(span: Range<usize>) -> Fault {
    Fault::new(Code::Limit, format!("the expression is nested deeper than {MAX_DEPTH} levels"), span)
        .help("name parts of it in `[let]`")
}

fn out_of_range(span: Range<usize>) -> Fault {
    Fault::new(Code::BadValue, "the integer does not fit in a signed 64-bit integer", span)
}
