//! Tests that are built twice: here, and by `rustc --test` with the language's attribute in the place of ours.

#[armadillo::test]
fn a_passes() {}

#[armadillo::test]
fn b_passes_and_prints() {
    println!("hello");
    eprintln!("hello on stderr");
}

#[armadillo::test]
fn c_fails() {
    println!("before");
    assert_eq!(1 + 1, 3, "arithmetic");
}

#[armadillo::test]
#[ignore]
fn d_is_ignored() {}

#[armadillo::test]
#[ignore = "takes long"]
fn e_is_ignored_for_a_reason() {
    panic!("run although it is ignored");
}

#[armadillo::test]
#[should_panic]
fn f_panics_as_it_should() {
    panic!("as it should");
}

#[armadillo::test]
#[should_panic(expected = "right")]
fn g_panics_with_other_words() {
    panic!("wrong");
}

#[armadillo::test]
#[should_panic]
fn h_does_not_panic() {}

#[armadillo::test]
fn i_returns_ok() -> Result<(), String> {
    Ok(())
}

#[armadillo::test]
fn j_returns_an_error() -> Result<(), String> {
    Err("an error".into())
}

mod inner {
    #[armadillo::test]
    fn k_passes() {}

    mod deeper {
        #[armadillo::test]
        fn l_fails() {
            panic!("deep");
        }
    }
}

fn main() -> std::process::ExitCode {
    armadillo::main()
}
