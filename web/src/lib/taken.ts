/** The kinds of files nodes take, as browsers ask for them when one is chosen. Apart from what sends them, which comes later. */
export const TAKEN = '.jpg,.jpeg,.png,.webp,.pdf,.txt,.log,.csv,.docx,.xlsx,.pptx,image/*';
